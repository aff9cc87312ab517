//! The 3×3 convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::{GroupNorm, Resample, conv3x3, norm_silu_conv3x3};

use crate::init::Initializer;

/// A 3×3 convolution with stride 1 that keeps the size (one pixel of zeros around the map).
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    /// `[out, in, 3, 3]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Convolution {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels_in: usize,
        channels_out: usize,
        scale: f64,
    ) -> Self {
        let fans = [9 * channels_in, 9 * channels_out];
        Self {
            weight: init.fan_average([channels_out, channels_in, 3, 3], fans, scale),
            bias: init.zeros([channels_out]),
        }
    }

    /// `[N, H, W, in]` to `[N, H, W, out]`, with `residual` added.
    pub(crate) fn forward(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        conv3x3(x, self.weight.val(), self.bias.val(), residual)
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`: normalises, activates and resamples first.
    pub(crate) fn forward_activated(
        &self,
        x: Tensor<4>,
        norm: GroupNorm,
        resample: Resample,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        norm_silu_conv3x3(x, norm, resample, weight, bias, residual)
    }
}
