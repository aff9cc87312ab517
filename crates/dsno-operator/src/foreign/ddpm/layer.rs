//! The elementary layers, with their weights laid out as in PyTorch.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::init::Initializer;

/// `y = x·Wᵀ + b` for rows `x`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    /// `[out, in]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Linear {
    pub(super) fn new(init: &mut Initializer<'_>, fan_in: usize, fan_out: usize) -> Self {
        Self {
            weight: init.fan_average([fan_out, fan_in], [fan_in, fan_out], 1.0),
            bias: init.zeros([fan_out]),
        }
    }

    /// `[N, in]` to `[N, out]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }

    /// The same map of channels as a 1×1 convolution: kernel `[out, in, 1, 1]` and bias.
    pub(super) fn kernel(&self) -> (Tensor<4>, Tensor<1>) {
        let weight = self.weight.val();
        let [o, i] = weight.dims();
        (weight.reshape([o, i, 1, 1]), self.bias.val())
    }
}

/// A convolution with a square kernel.
#[derive(Module, Debug)]
pub(super) struct Conv {
    /// `[out, in, k, k]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    /// Zeros before and after each axis.
    #[module(skip)]
    padding: (usize, usize),
}

impl Conv {
    /// A convolution that keeps the size, for an odd kernel.
    pub(super) fn new(init: &mut Initializer<'_>, channels: [usize; 2], kernel: usize) -> Self {
        Self::strided(init, channels, kernel, 1, (kernel / 2, kernel / 2))
    }

    pub(super) fn strided(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: (usize, usize),
    ) -> Self {
        let fans = [channels_in, channels_out].map(|channels| channels * kernel * kernel);
        Self {
            weight: init.fan_average([channels_out, channels_in, kernel, kernel], fans, 1.0),
            bias: init.zeros([channels_out]),
            stride,
            padding,
        }
    }

    /// `[N, in, H, W]` to `[N, out, H/stride, W/stride]`.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new_with_padding([self.stride; 2], [self.padding; 2], [1, 1], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// Group normalisation (Wu & He 2018, arXiv:1803.08494).
#[derive(Module, Debug)]
pub(super) struct GroupNorm {
    /// `[C]`
    weight: Param<Tensor<1>>,
    /// `[C]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    /// Added to every variance.
    #[module(skip)]
    epsilon: f64,
}

impl GroupNorm {
    pub(super) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        groups: usize,
        epsilon: f64,
    ) -> Self {
        Self {
            weight: init.ones([channels]),
            bias: init.zeros([channels]),
            groups,
            epsilon,
        }
    }

    /// Normalises `[N, C, H, W]`.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (centred, inverse_deviation) = self.centre(x);
        let offset = self.bias.val().unsqueeze();
        scaled(
            centred,
            inverse_deviation * self.weight.val().unsqueeze(),
            offset,
        )
    }

    /// Normalises, then `h·(1 + scale) + shift` with both `[N, C]` or `[1, C]`.
    pub(super) fn forward_modulated(
        &self,
        x: Tensor<4>,
        scale: Tensor<2>,
        shift: Tensor<2>,
    ) -> Tensor<4> {
        let (centred, inverse_deviation) = self.centre(x);
        let factor = scale + 1.0;
        let offset = factor.clone() * self.bias.val().unsqueeze() + shift;
        let gain = inverse_deviation * self.weight.val().unsqueeze() * factor;
        scaled(centred, gain, offset)
    }

    /// Subtracts each group's mean; returns the map and `1/√(variance + ε)` per channel, `[N, C]`.
    fn centre(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<2>) {
        let [n, c, h, w] = x.dims();
        let g = self.groups;
        let grouped = x.reshape([n, g, (c / g) * h * w]);
        let centred = grouped.clone() - grouped.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        let inverse = (variance + self.epsilon).sqrt().recip();
        let per_channel = inverse.expand([n, g, c / g]).reshape([n, c]);
        (centred.reshape([n, c, h, w]), per_channel)
    }
}

/// `x·gain + offset` with rows `[N, C]` or `[1, C]`.
fn scaled(x: Tensor<4>, gain: Tensor<2>, offset: Tensor<2>) -> Tensor<4> {
    x * rows(gain) + rows(offset)
}

/// `[N, C]` as `[N, C, 1, 1]`.
pub(super) fn rows(x: Tensor<2>) -> Tensor<4> {
    let [n, c] = x.dims();
    x.reshape([n, c, 1, 1])
}
