//! Group normalisation with an optional scale and shift per sample.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::init::Initializer;

/// Added to every variance.
const EPSILON: f64 = 1e-6;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494).
#[derive(Module, Debug)]
pub(crate) struct Norm {
    /// `[C]`
    gamma: Param<Tensor<1>>,
    /// `[C]`
    beta: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

/// Per-sample modulation of normalised channels: `h·(1 + scale) + shift`, each `[N, C]`.
#[derive(Debug, Clone)]
pub(crate) struct Modulation {
    pub(crate) scale: Tensor<2>,
    pub(crate) shift: Tensor<2>,
}

impl Norm {
    pub(crate) fn new(init: &mut Initializer<'_>, channels: usize, groups: usize) -> Self {
        Self {
            gamma: init.ones([channels]),
            beta: init.zeros([channels]),
            groups,
        }
    }

    /// Normalises `[N, C, H, W]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, _, _] = x.dims();
        let (centred, inverse_deviation) = self.centre(x);
        let gain = inverse_deviation * self.gamma.val().unsqueeze();
        let offset = self.beta.val().reshape([1, c, 1, 1]);
        centred * gain.reshape([n, c, 1, 1]) + offset
    }

    /// Normalises `[N, C, H, W]`, then modulates; one product and one sum over the map for both.
    pub(crate) fn forward_modulated(&self, x: Tensor<4>, by: Modulation) -> Tensor<4> {
        let [n, c, _, _] = x.dims();
        let (centred, inverse_deviation) = self.centre(x);
        let factor = by.scale + 1.0;
        let gain = inverse_deviation * self.gamma.val().unsqueeze() * factor.clone();
        let offset = factor * self.beta.val().unsqueeze() + by.shift;
        centred * gain.reshape([n, c, 1, 1]) + offset.reshape([n, c, 1, 1])
    }

    /// Subtracts each group's mean; returns the map and `1/√(variance + ε)` per channel, `[N, C]`.
    fn centre(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<2>) {
        let [n, c, h, w] = x.dims();
        let g = self.groups;
        let grouped = x.reshape([n, g, (c / g) * h * w]);
        let centred = grouped.clone() - grouped.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        let inverse = (variance + EPSILON).sqrt().recip();
        let per_channel = inverse.expand([n, g, c / g]).reshape([n, c]);
        (centred.reshape([n, c, h, w]), per_channel)
    }
}
