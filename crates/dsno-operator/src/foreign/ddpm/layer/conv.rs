use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use dsno_kernels::{Resample, norm_silu_conv3x3};

use crate::foreign::map;
use crate::init::Initializer;

/// A convolution with a kernel of 3×3 or 1×1.
#[derive(Module, Debug)]
pub(in crate::foreign::ddpm) struct Conv {
    /// `[out, in, k, k]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    /// Moves by two pixels, with zeros before and after each axis.
    #[module(skip)]
    halving: Option<(usize, usize)>,
}

impl Conv {
    /// A convolution that keeps the size.
    pub(in crate::foreign::ddpm) fn new(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        kernel: usize,
    ) -> Self {
        let fans = [channels_in, channels_out].map(|channels| channels * kernel * kernel);
        Self {
            weight: init.fan_average([channels_out, channels_in, kernel, kernel], fans, 1.0),
            bias: init.zeros([channels_out]),
            halving: None,
        }
    }

    /// A 3×3 convolution with stride 2, and zeros before and after each axis.
    pub(in crate::foreign::ddpm) fn halving(
        init: &mut Initializer<'_>,
        channels: usize,
        zeros: (usize, usize),
    ) -> Self {
        Self {
            halving: Some(zeros),
            ..Self::new(init, [channels, channels], 3)
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`.
    pub(in crate::foreign::ddpm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let Some(zeros) = self.halving else {
            return map::convolve(x, weight, bias, None);
        };
        let options = ConvOptions::new_with_padding([2; 2], [zeros; 2], [1; 2], 1);
        map::channels_last(conv2d(map::channels_first(x), weight, Some(bias), options))
    }

    /// The same for a convolution that keeps the size, with `residual` added.
    pub(in crate::foreign::ddpm) fn forward_onto(
        &self,
        residual: Tensor<4>,
        x: Tensor<4>,
    ) -> Tensor<4> {
        map::convolve(x, self.weight.val(), self.bias.val(), Some(residual))
    }

    /// A 3×3 convolution that keeps the size of a map normalised, activated and resampled before.
    pub(in crate::foreign::ddpm) fn forward_activated(
        &self,
        x: Tensor<4>,
        norm: dsno_kernels::GroupNorm,
        change: Resample,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        norm_silu_conv3x3(x, norm, change, weight, bias, residual)
    }
}
