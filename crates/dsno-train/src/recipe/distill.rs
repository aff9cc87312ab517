//! How a student learns from trajectories.

use dsno_ode::NoiseLevel;
use serde::{Deserialize, Serialize};

use super::training::beside_training;
use super::{RecipeError, TrainingRecipe, range};
use crate::state_loss::Distance;

/// Distillation of stored trajectories into an operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistillRecipe {
    /// Distance between predicted and stored states.
    pub distance: Distance,
    /// Which times count how much.
    pub weight: TimeWeight,
    /// Length, steps and average; an example is a trajectory.
    #[serde(flatten)]
    pub training: TrainingRecipe,
}

beside_training!(DistillRecipe {
    distance: Distance,
    weight: TimeWeight
});

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
        if let Distance::PseudoHuber { c } = self.distance {
            let ok = c > 0.0 && c.is_finite();
            range(ok, "distance.c", &c, "a positive number")?;
        }
        if let TimeWeight::RootSnr { min, max } = self.weight {
            let ok = min > 0.0 && min <= max && max.is_finite();
            range(ok, "weight", &(min, max), "0 < min, min <= max")?;
        }
        self.training.validate()
    }
}
