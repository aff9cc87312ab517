//! How a student learns from trajectories.

use dsno_ode::NoiseLevel;
use serde::{Deserialize, Serialize};

use super::{Adam, RecipeError, range, validate_training};
use crate::learning_rate::LearningRate;

/// Distillation of stored trajectories into an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillRecipe {
    /// Distance between predicted and stored states.
    pub distance: Distance,
    /// Which times count how much.
    pub weight: TimeWeight,
    /// Trajectories seen in all, repetitions counted; rounded up to whole batches.
    pub total_images: u64,
    /// Trajectories per optimiser step.
    pub batch_size: usize,
    /// Equal parts of a batch that are worked on at the same time (one after the other with
    /// dropout). Their number, not the number of processors, shapes the result.
    pub shards: usize,
    /// Step size.
    pub learning_rate: LearningRate,
    /// Moments of the optimiser.
    pub adam: Adam,
    /// Trajectories after which a weight's share in the average has halved; 0 to keep raw weights.
    pub ema_half_life_images: f64,
    /// Trajectories between checkpoints.
    pub checkpoint_images: u64,
    /// Trajectories between lines of the metrics log.
    pub log_images: u64,
}

/// Distance between two states, a mean over channels and pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Mean absolute difference.
    L1,
    /// Mean squared difference.
    L2,
}

/// Weight of a time in the distillation loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TimeWeight {
    /// All times count the same.
    Uniform {},
    /// `α/σ`, the root of the signal-to-noise ratio, clamped; the paper's, with `[1, 10000]`.
    RootSnr {
        /// Smallest weight.
        min: f64,
        /// Largest weight.
        max: f64,
    },
}

impl TimeWeight {
    /// The weight at a noise level.
    ///
    /// ```
    /// use dsno_ode::{CosineSchedule, Schedule};
    /// use dsno_train::TimeWeight;
    ///
    /// let weight = TimeWeight::RootSnr { min: 1.0, max: 10_000.0 };
    /// let schedule = CosineSchedule::default();
    /// let weights = [0.5625, 0.25, 0.0625, 0.0].map(|t| weight.of(schedule.at(t)));
    /// for (found, paper) in weights.iter().zip([1.0, 2.414, 10.149, 10_000.0]) {
    ///     assert!((found - paper).abs() < 1e-3 * paper);
    /// }
    /// ```
    pub fn of(self, at: NoiseLevel) -> f64 {
        match self {
            Self::Uniform {} => 1.0,
            Self::RootSnr { min, max } => (0.5 * at.log_snr()).exp().clamp(min, max),
        }
    }
}

impl DistillRecipe {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError`] names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), RecipeError> {
        validate_training(
            self.total_images,
            self.batch_size,
            self.shards,
            self.checkpoint_images,
            self.ema_half_life_images,
        )?;
        if let TimeWeight::RootSnr { min, max } = self.weight {
            let ok = min > 0.0 && min <= max && max.is_finite();
            range(ok, "weight", &(min, max), "0 < min, min <= max")?;
        }
        range(
            self.log_images > 0,
            "log_images",
            &self.log_images,
            "at least 1",
        )?;
        self.learning_rate.validate()?;
        self.adam.validate()
    }
}
