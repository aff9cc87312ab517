//! The parameters of a group normalisation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::GroupNorm;

use crate::init::Initializer;

/// Added to every variance.
const EPSILON: f64 = 1e-6;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494), see [`GroupNorm`].
#[derive(Module, Debug)]
pub(crate) struct Norm {
    /// `[C]`
    gamma: Param<Tensor<1>>,
    /// `[C]`
    beta: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

impl Norm {
    pub(crate) fn new(init: &mut Initializer<'_>, channels: usize, groups: usize) -> Self {
        Self {
            gamma: init.ones([channels]),
            beta: init.zeros([channels]),
            groups,
        }
    }

    /// What the normalisation needs, with rows `[scale | shift]` that modulate it.
    pub(crate) fn with(&self, modulation: Option<Tensor<2>>) -> GroupNorm {
        GroupNorm {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            groups: self.groups,
            epsilon: EPSILON,
            modulation,
        }
    }
}
