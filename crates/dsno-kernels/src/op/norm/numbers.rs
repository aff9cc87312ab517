//! What kernels read of a normalisation.

use super::GroupNorm;
use crate::cpu::norm;
use crate::flex::Numbers;

/// What of a normalisation is no tensor.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct NormPlan {
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    pub(in crate::op) fn plan(&self) -> NormPlan {
        NormPlan {
            groups: self.groups,
            epsilon: self.epsilon,
        }
    }
}

/// A normalisation's numbers.
#[derive(Debug, Clone)]
pub(in crate::op) struct NormNumbers {
    pub(in crate::op) gamma: Numbers,
    pub(in crate::op) beta: Numbers,
    pub(in crate::op) modulation: Option<Numbers>,
    pub(in crate::op) plan: NormPlan,
}

impl NormNumbers {
    /// The kernel's view of them.
    pub(in crate::op) fn with(&self, silu: bool) -> norm::GroupNorm<'_> {
        norm::GroupNorm {
            groups: self.plan.groups,
            epsilon: self.plan.epsilon,
            gamma: self.gamma.slice(),
            beta: self.beta.slice(),
            modulation: self.modulation.as_ref().map(Numbers::slice),
            silu,
        }
    }

    /// Rows of the modulation.
    pub(in crate::op) fn rows(&self) -> usize {
        let rows = |modulation: &Numbers| modulation.dims::<2>()[0];
        self.modulation.as_ref().map_or(0, rows)
    }
}
