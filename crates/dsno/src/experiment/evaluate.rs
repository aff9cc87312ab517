//! The `[evaluate]` section.

use dsno_model::Solve;
use dsno_ode::{GridKind, SolverKind};
use serde::{Deserialize, Serialize};

use super::validate::{at_least, at_most, unique};

/// What is measured, and on how many samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluateSettings {
    /// Samples per sampler and seed.
    pub(crate) samples: usize,
    /// One evaluation per seed, each with its own noise and its own split of the real images.
    pub(crate) seeds: Vec<u64>,
    /// Samples that are also compared one by one with the teacher's endpoint.
    pub(crate) paired: usize,
    /// Images per forward pass; also the unit of work that a restart repeats.
    pub(crate) batch_size: usize,
    /// Calls at batch 1 whose median is the latency.
    pub(crate) latency_repeats: usize,
    /// The teacher's own samplers.
    pub(crate) teacher: Vec<TeacherSampling>,
    /// What paired errors are measured against, if not the solver that trajectories are collected
    /// with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<Solve>,
    /// The space in which distances are measured.
    pub(crate) features: Features,
}

/// The teacher as a sampler, with one solver and several numbers of steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeacherSampling {
    /// The solver.
    pub(crate) solver: SolverKind,
    /// How the steps are spaced in time.
    pub(crate) grid: GridKind,
    /// Whether predicted images are clamped to `[-1, 1]`.
    pub(crate) clamp: bool,
    /// Numbers of steps; each becomes a sampler, `teacher-ddim-N` for example.
    pub(crate) steps: Vec<usize>,
}

impl EvaluateSettings {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A sentence that names the key, what it is and what was expected.
    pub(crate) fn validate(&self) -> Result<(), String> {
        at_least("evaluate.samples", self.samples, 2)?;
        at_least("evaluate.seeds (its length)", self.seeds.len(), 1)?;
        at_least("evaluate.batch_size", self.batch_size, 1)?;
        at_least("evaluate.latency_repeats", self.latency_repeats, 1)?;
        at_most(
            "evaluate.paired",
            self.paired,
            self.samples,
            "evaluate.samples",
        )?;
        unique("evaluate.seeds", &self.seeds)?;
        let solves = self.solves();
        for steps in solves.iter().chain(&self.endpoint).map(|s| s.steps) {
            at_least("evaluate.teacher.steps", steps, 1)?;
        }
        let names: Vec<String> = solves.iter().map(Solve::name).collect();
        unique("evaluate.teacher (its samplers)", &names)?;
        match &self.features {
            Features::Pixels { size } => at_least("evaluate.features.size", *size, 1),
            Features::Classifier { .. } | Features::Inception { .. } => Ok(()),
        }
    }

    /// Every solve of the teacher that is measured.
    pub(crate) fn solves(&self) -> Vec<Solve> {
        let each = |sampling: &TeacherSampling| {
            let TeacherSampling {
                solver,
                grid,
                clamp,
                ..
            } = *sampling;
            let solve = move |&steps: &usize| Solve {
                solver,
                grid,
                steps,
                clamp,
            };
            sampling.steps.iter().map(solve).collect::<Vec<_>>()
        };
        self.teacher.iter().flat_map(each).collect()
    }
}

/// Where features for the Fréchet distance come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Features {
    /// A small classifier of this data set.
    Classifier {
        /// Its folder.
        path: String,
    },
    /// The image itself, averaged down to `size × size`; for sets without a classifier.
    Pixels {
        /// Height and width of the averaged image.
        size: usize,
    },
    /// The Inception network of the published FID.
    Inception {
        /// Its weights.
        weights: String,
        /// Statistics of the reference images (`mu`, `sigma`).
        reference: String,
    },
}
