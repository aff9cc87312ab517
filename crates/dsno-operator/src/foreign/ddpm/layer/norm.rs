use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::rows;
use crate::init::Initializer;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494).
#[derive(Module, Debug)]
pub(in crate::foreign::ddpm) struct GroupNorm {
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
    pub(in crate::foreign::ddpm) fn new(
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
    pub(in crate::foreign::ddpm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (centred, inverse_deviation) = self.centre(x);
        let offset = self.bias.val().unsqueeze();
        scaled(
            centred,
            inverse_deviation * self.weight.val().unsqueeze(),
            offset,
        )
    }

    /// Normalises, then `h·(1 + scale) + shift` with both `[N, C]` or `[1, C]`.
    pub(in crate::foreign::ddpm) fn forward_modulated(
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
