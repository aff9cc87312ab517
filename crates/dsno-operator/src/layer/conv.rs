//! Convolutions.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use dsno_kernels::{GroupNorm, Resample, conv1x1, conv3x3, norm_silu_conv3x3};

use super::Norm;
use crate::init::Initializer;

/// A 1×1 convolution whose weight is stored `[in, out]` ('network in network').
#[derive(Module, Debug)]
pub(crate) struct Conv1x1 {
    /// `[in, out]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Conv1x1 {
    pub(crate) fn new(init: &mut Initializer<'_>, channels: [usize; 2], scale: f64) -> Self {
        Self {
            weight: init.fan_average(channels, channels, scale),
            bias: init.zeros([channels[1]]),
        }
    }

    /// `[N, H, W, in]` to `[N, H, W, out]`, with `residual` added.
    pub(crate) fn forward(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        conv1x1(x, self.weight.val(), self.bias.val(), residual)
    }
}

/// A 3×3 convolution.
#[derive(Module, Debug)]
pub(crate) struct Conv3x3 {
    /// `[out, in, 3, 3]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Conv3x3 {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        scale: f64,
    ) -> Self {
        let fans = [9 * channels_in, 9 * channels_out];
        Self {
            weight: init.fan_average([channels_out, channels_in, 3, 3], fans, scale),
            bias: init.zeros([channels_out]),
        }
    }

    /// `[N, H, W, in]` to `[N, H, W, out]`, with one pixel of zeros around the map and `residual` added.
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

    /// `[N, H, W, in]` to `[N, H/2, W/2, out]` with stride 2, and zeros before and after each axis.
    pub(crate) fn forward_halving(&self, x: Tensor<4>, zeros: (usize, usize)) -> Tensor<4> {
        let options = ConvOptions::new_with_padding([2; 2], [zeros; 2], [1; 2], 1);
        let (weight, bias) = (self.weight.val(), Some(self.bias.val()));
        let y = conv2d(x.permute([0, 3, 1, 2]), weight, bias, options);
        y.permute([0, 2, 3, 1])
    }
}

/// Reads an image off feature maps: `y = conv(SiLU(norm(x)))`.
#[derive(Module, Debug)]
pub(crate) struct Head {
    pub(crate) norm: Norm,
    pub(crate) conv: Conv3x3,
}

impl Head {
    /// `[N, H, W, C]` to `[N, H, W, out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let norm = self.norm.with(None);
        self.conv.forward_activated(x, norm, Resample::Keep, None)
    }
}
