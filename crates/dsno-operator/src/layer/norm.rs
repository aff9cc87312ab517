//! The parameters of a group normalisation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::GroupNorm;

use crate::init::Initializer;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494), see [`GroupNorm`].
#[derive(Module, Debug)]
pub(crate) struct Norm {
    /// `[C]`
    gamma: Param<Tensor<1>>,
    /// `[C]`
    beta: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    /// Added to every variance.
    #[module(skip)]
    epsilon: f64,
}

impl Norm {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        groups: usize,
        epsilon: f64,
    ) -> Self {
        Self {
            gamma: init.ones([channels]),
            beta: init.zeros([channels]),
            groups,
            epsilon,
        }
    }

    /// What the normalisation needs, with rows `[scale | shift]` that modulate it.
    pub(crate) fn with(&self, modulation: Option<Tensor<2>>) -> GroupNorm {
        GroupNorm {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            groups: self.groups,
            epsilon: self.epsilon,
            modulation,
        }
    }
}
