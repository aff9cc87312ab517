//! The `[evaluate]` section.

use dsno_ode::GridKind;
use serde::{Deserialize, Serialize};

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
    pub(crate) teacher: TeacherSampling,
    /// The space in which distances are measured.
    pub(crate) features: Features,
}

/// The teacher as a sampler: DDIM on a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeacherSampling {
    /// How the steps are spaced in time.
    pub(crate) grid: GridKind,
    /// Whether predicted images are clamped to `[-1, 1]`.
    pub(crate) clamp: bool,
    /// Numbers of steps; each becomes a sampler `teacher-ddim-N`.
    pub(crate) steps: Vec<usize>,
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
