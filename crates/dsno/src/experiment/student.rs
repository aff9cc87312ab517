//! The `[student]` section and the ablations that vary it.

use dsno_model::{TeacherArchitecture, backbone};
use dsno_operator::{TemporalConvConfig, UNetConfig};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::DistillSettings;
use crate::failure::sentence;

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

    /// The student's whole network, for this teacher.
    ///
    /// # Errors
    ///
    /// A sentence that names what does not go together.
    pub(crate) fn network(&self, teacher: &TeacherArchitecture) -> Result<UNetConfig, String> {
        let backbone = backbone(teacher, self.architecture.as_ref());
        let backbone = backbone.map_err(|error| format!("student: {}", sentence(&error)))?;
        let network = UNetConfig {
            temporal: self.temporal(),
            ..backbone
        };
        let fits = network.validate();
        fits.map_err(|error| format!("student: {}", sentence(&error)))?;
        Ok(network)
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

    /// Name of its stage, which is also that of its folder.
    pub(crate) fn stage(&self) -> String {
        if self.name == Self::MAIN {
            "distill".to_owned()
        } else {
            format!("distill-{}", self.name)
        }
    }
}
