//! Changes of resolution between blocks.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::{Resample, resample};

use super::conv3x3::Conv3x3;
use crate::init::Initializer;

/// A change of resolution, with or without a convolution.
#[derive(Module, Debug)]
pub(crate) struct Resampler {
    conv: Option<Conv3x3>,
    #[module(skip)]
    change: Change,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    /// A convolution with stride 2, and zeros before and after each axis.
    Strided((usize, usize)),
    /// Averages of 2×2 pixels, or repetition.
    Plain(Resample),
}

impl Resampler {
    /// Halves the size: a convolution with stride 2 and the given padding, or averages.
    pub(crate) fn down(
        init: &mut Initializer<'_>,
        channels: usize,
        padding: Option<(usize, usize)>,
    ) -> Self {
        Self {
            conv: padding.map(|_| Conv3x3::new(init, [channels, channels], 1.0)),
            change: padding.map_or(Change::Plain(Resample::Halve), Change::Strided),
        }
    }

    /// Doubles the size by repetition, followed by a convolution or not.
    pub(crate) fn up(init: &mut Initializer<'_>, channels: usize, conv: bool) -> Self {
        Self {
            conv: conv.then(|| Conv3x3::new(init, [channels, channels], 1.0)),
            change: Change::Plain(Resample::Double),
        }
    }

    /// `[N, H, W, C]` to `[N, H', W', C]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match (self.change, &self.conv) {
            (Change::Strided(zeros), Some(conv)) => conv.forward_halving(x, zeros),
            (Change::Plain(change), Some(conv)) => conv.forward(resample(x, change), None),
            (Change::Plain(change), None) => resample(x, change),
            (Change::Strided(_), None) => {
                unreachable!("invariant: strides come with a convolution")
            }
        }
    }
}
