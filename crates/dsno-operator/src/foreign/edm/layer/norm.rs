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

    /// What the normalisation needs, with rows `[scale | shift]` that modulate it.
    pub(in crate::foreign::edm) fn with(
        &self,
        modulation: Option<Tensor<2>>,
    ) -> dsno_kernels::GroupNorm {
        let gamma = self.weight.val();
        let [channels] = gamma.dims();
        dsno_kernels::GroupNorm {
            gamma,
            beta: self.bias.val(),
            groups: groups(channels),
            epsilon: self.epsilon,
            modulation,
        }
    }
}
