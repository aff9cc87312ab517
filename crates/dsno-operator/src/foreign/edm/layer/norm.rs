//! Group normalisation with the two epsilons of EDM networks.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::foreign::edm::plan::groups;
use crate::init::Initializer;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494) in `min(32, C/4)` groups.
#[derive(Module, Debug)]
pub(in crate::foreign::edm) struct GroupNorm {
    /// `[C]`
    weight: Param<Tensor<1>>,
    /// `[C]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl GroupNorm {
    pub(in crate::foreign::edm) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        epsilon: f64,
    ) -> Self {
        Self {
            weight: init.ones([channels]),
            bias: init.zeros([channels]),
            epsilon,
        }
    }

    /// Normalises `[N, C, H, W]`.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        let g = groups(c);
        let grouped = x.reshape([n, g, (c / g) * h * w]);
        let centred = grouped.clone() - grouped.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        let inverse = (variance + self.epsilon).sqrt().recip();
        let gain = inverse.expand([n, g, c / g]).reshape([n, c]) * self.weight.val().unsqueeze();
        let offset = self.bias.val().reshape([1, c, 1, 1]);
        centred.reshape([n, c, h, w]) * gain.reshape([n, c, 1, 1]) + offset
    }
}
