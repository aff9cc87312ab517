//! The `[student]` section and the ablations that vary it.

use dsno_operator::{TemporalConvConfig, UNetConfig};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::DistillSettings;

/// What the student has that the teacher lacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StudentSettings {
    /// Fourier modes that temporal convolutions keep; 0 leaves the convolutions out.
    pub(crate) n_modes: usize,
    /// The network without temporal convolutions, for a teacher of another family, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) architecture: Option<UNetConfig>,
}

impl StudentSettings {
    /// Its temporal convolutions.
    pub(crate) fn temporal(&self) -> Option<TemporalConvConfig> {
        let n_modes = self.n_modes;
        (n_modes > 0).then_some(TemporalConvConfig { n_modes })
    }
}

/// One more student, the same but for some keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ablation {
    /// Name of the sampler in the report.
    pub(crate) name: String,
    /// Keys of `student` or `distill` and their values, for example `"student.n_modes" = 0`.
    pub(crate) set: Table,
}

/// One student to distil, with the name of its sampler: `dsno`, or that of an ablation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StudentPlan {
    pub(crate) name: String,
    pub(crate) settings: StudentSettings,
    pub(crate) distill: DistillSettings,
}

impl StudentPlan {
    /// Name of the main student.
    pub(crate) const MAIN: &'static str = "dsno";

    /// Whether it is the main student, not an ablation.
    pub(crate) fn is_main(&self) -> bool {
        self.name == Self::MAIN
    }
}
