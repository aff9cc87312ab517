use burn::module::{Module, Param};
use burn::tensor::Tensor;

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

    /// What the normalisation needs, with rows `[scale | shift]` that modulate it.
    pub(in crate::foreign::ddpm) fn with(
        &self,
        modulation: Option<Tensor<2>>,
    ) -> dsno_kernels::GroupNorm {
        dsno_kernels::GroupNorm {
            gamma: self.weight.val(),
            beta: self.bias.val(),
            groups: self.groups,
            epsilon: self.epsilon,
            modulation,
        }
    }
}
