//! The numbers of a normalisation, apart from its tensors.

#[cfg(feature = "flex")]
use super::GroupNorm;
#[cfg(feature = "flex")]
use crate::cpu::norm;

/// What of a normalisation is no tensor.
#[cfg(feature = "flex")]
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct NormPlan {
    groups: usize,
    epsilon: f64,
}

#[cfg(feature = "flex")]
impl GroupNorm {
    pub(in crate::op) fn plan(&self) -> NormPlan {
        NormPlan {
            groups: self.groups,
            epsilon: self.epsilon,
        }
    }
}

#[cfg(feature = "flex")]
impl NormPlan {
    pub(in crate::op) fn with<'a>(
        self,
        gamma: &'a [f32],
        beta: &'a [f32],
        modulation: Option<&'a [f32]>,
        silu: bool,
    ) -> norm::GroupNorm<'a> {
        norm::GroupNorm {
            groups: self.groups,
            epsilon: self.epsilon,
            gamma,
            beta,
            modulation,
            silu,
        }
    }
}
