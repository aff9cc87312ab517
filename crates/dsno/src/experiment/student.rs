//! The `[student]` section and the ablations that vary it.

use serde::{Deserialize, Serialize};
use toml::Table;

use super::DistillSettings;

/// What the student has that the teacher lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StudentSettings {
    /// Fourier modes that temporal convolutions keep; 0 leaves the convolutions out.
    pub(crate) n_modes: usize,
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

    /// Name of its stage, which is also that of its folder.
    pub(crate) fn stage(&self) -> String {
        if self.name == Self::MAIN {
            "distill".to_owned()
        } else {
            format!("distill-{}", self.name)
        }
    }
}
