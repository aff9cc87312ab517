//! Changes of resolution between blocks.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::{Resample, resample};

use super::Conv3x3;
use crate::init::Initializer;

/// A change of resolution, with or without a convolution.
#[derive(Module, Debug)]
pub(crate) struct Resampler {
    conv: Option<Conv3x3>,
    #[module(skip)]
    resample: Resample,
    /// Zeros before and after each axis for a convolution with stride 2.
    #[module(skip)]
    zeros: (usize, usize),
}

impl Resampler {
    /// Halves the size by a convolution with stride 2 and the given zeros, or by averages; or doubles it
    /// by repetition, followed by a convolution or not.
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        resample: Resample,
        conv: Option<(usize, usize)>,
    ) -> Self {
        Self {
            conv: conv.map(|_| Conv3x3::new(init, [channels, channels], 1.0)),
            resample,
            zeros: conv.unwrap_or_default(),
        }
    }

    /// `[N, H, W, C]` to `[N, H', W', C]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match (&self.conv, self.resample) {
            (Some(conv), Resample::Halve) => conv.forward_halving(x, self.zeros),
            (Some(conv), change) => conv.forward(resample(x, change), None),
            (None, change) => resample(x, change),
        }
    }
}
