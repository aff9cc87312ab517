//! The schema of experiment files: one complete TOML is one run.
//!
//! Every key is present, unknown keys are errors, and variants are chosen by `kind`. Sections that
//! an experiment does not have are stages that it does not run. This is data: nothing here opens a file
//! but [`Resolved::load`] its own, and what the sections ask for is found by the stages.

mod distill;
mod evaluate;
mod file;
mod overrides;
mod renamed;
mod student;
mod teacher;
mod validate;

use serde::{Deserialize, Serialize};

pub(crate) use distill::{Distance, DistillSettings, Perceptual};
pub(crate) use evaluate::{EvaluateSettings, Features};
pub(crate) use file::Resolved;
pub(crate) use overrides::Override;
pub(crate) use student::{Ablation, StudentPlan, StudentSettings};
pub(crate) use teacher::{Import, Load, TeacherSource, Train};

use dsno_train::CollectRecipe;

use validate::{at_least, at_most};

/// A whole experiment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// Name of the run folder: small letters, digits and dashes.
    pub(crate) name: String,
    /// What this experiment is, in a sentence; shown in the report.
    pub(crate) about: String,
    /// The scaled-down experiment to try instead, if this one needs what most machines lack.
    pub(crate) mini: Option<String>,
    /// Seed of everything that is random, the evaluation apart.
    pub(crate) seed: u64,
    pub(crate) data: DataSettings,
    pub(crate) teacher: TeacherSource,
    pub(crate) collect: Option<CollectRecipe>,
    pub(crate) student: Option<StudentSettings>,
    pub(crate) distill: Option<DistillSettings>,
    pub(crate) sample: Option<SampleSettings>,
    pub(crate) evaluate: Option<EvaluateSettings>,
    /// More students on the same trajectories, each with some keys of `student` or `distill` changed.
    #[serde(default)]
    pub(crate) ablation: Vec<Ablation>,
}

/// Which images: a file of `datasets/` and the folder that its files are in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataSettings {
    /// Name of `datasets/<set>.toml`.
    pub(crate) set: String,
    /// Folder of the data files; relative to the folder whose `datasets/` describes the set.
    pub(crate) root: String,
    /// Height and width in pixels that images are averaged down to.
    pub(crate) image_size: usize,
}

/// What the report shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleSettings {
    /// Images in the grid of each sampler.
    pub(crate) count: usize,
    /// Columns of the grid.
    pub(crate) columns: usize,
    /// Rows of the strip that shows trajectories of teacher and student side by side.
    pub(crate) strips: usize,
}

impl SampleSettings {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A sentence that names the key, what it is and what was expected.
    pub(crate) fn validate(&self) -> Result<(), String> {
        at_least("sample.count", self.count, 1)?;
        at_least("sample.columns", self.columns, 1)?;
        at_most("sample.strips", self.strips, self.count, "sample.count")
    }
}
