//! Inputs of a group normalisation as the kernels read them.

use super::GroupNorm;
use crate::cpu::norm;
use crate::flex::Contiguous;

/// Hyper-parameters of a group normalisation.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct NormConfig {
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    pub(in crate::op) fn config(&self) -> NormConfig {
        NormConfig {
            groups: self.groups,
            epsilon: self.epsilon,
        }
    }
}

/// Contiguous parameters of a group normalisation, with its hyper-parameters.
#[derive(Debug, Clone)]
pub(in crate::op) struct NormParameters {
    pub(in crate::op) gamma: Contiguous,
    pub(in crate::op) beta: Contiguous,
    pub(in crate::op) modulation: Option<Contiguous>,
    pub(in crate::op) config: NormConfig,
}

impl NormParameters {
    /// The kernel's arguments, followed by SiLU or not.
    pub(in crate::op) fn kernel_args(&self, silu: bool) -> norm::GroupNorm<'_> {
        norm::GroupNorm {
            groups: self.config.groups,
            epsilon: self.config.epsilon,
            gamma: self.gamma.slice(),
            beta: self.beta.slice(),
            modulation: self.modulation.as_ref().map(Contiguous::slice),
            silu,
        }
    }

    /// Rows of the modulation, 0 without one.
    pub(in crate::op) fn modulation_rows(&self) -> usize {
        let rows = |modulation: &Contiguous| modulation.dims::<2>()[0];
        self.modulation.as_ref().map_or(0, rows)
    }
}
