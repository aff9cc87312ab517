//! The `[evaluate]` section.

use dsno_ode::{GridKind, SolverKind};
use serde::{Deserialize, Serialize};

use dsno_model::Solve;

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
