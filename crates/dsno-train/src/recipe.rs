//! What a user decides about a run: complete, serialisable, checked before anything starts.

mod collect;
mod distill;
mod teacher;

pub use collect::{CollectRecipe, StoreDtype};
pub use distill::{Distance, DistillRecipe, TimeWeight};
pub use teacher::{TeacherRecipe, Weighting};

use serde::{Deserialize, Serialize};

use crate::learning_rate::{Decay, LearningRate};

/// Moment decay rates of Adam (Kingma & Ba 2015, arXiv:1412.6980v9); its ε is 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Decay of the mean gradient, in `[0, 1)`.
    pub beta_1: f64,
    /// Decay of the mean squared gradient, in `[0, 1)`.
    pub beta_2: f64,
}

/// A recipe that cannot be followed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A number is outside its range.
    #[error("`{key}` is {found}, expected {expected}")]
    Range {
        /// Key inside the recipe's table.
        key: &'static str,
        /// The value found.
        found: String,
        /// The values that work.
        expected: &'static str,
    },
    /// Times are not on the solver's grid or not falling.
    #[error("`record` holds {found:?}, expected falling times from 1 to 0, the first of them 1")]
    Record {
        /// The times found.
        found: Vec<f64>,
    },
}

/// Fails with [`RecipeError::Range`] unless `ok`.
fn range<T: std::fmt::Debug>(
    ok: bool,
    key: &'static str,
    found: &T,
    expected: &'static str,
) -> Result<(), RecipeError> {
    if ok {
        Ok(())
    } else {
        Err(RecipeError::Range {
            key,
            found: format!("{found:?}"),
            expected,
        })
    }
}

impl Adam {
    fn validate(self) -> Result<(), RecipeError> {
        let unit = 0.0..1.0;
        range(
            unit.contains(&self.beta_1),
            "adam.beta_1",
            &self.beta_1,
            "at least 0, less than 1",
        )?;
        range(
            unit.contains(&self.beta_2),
            "adam.beta_2",
            &self.beta_2,
            "at least 0, less than 1",
        )
    }
}

impl LearningRate {
    fn validate(&self) -> Result<(), RecipeError> {
        let peak = self.peak;
        range(
            peak > 0.0 && peak.is_finite(),
            "learning_rate.peak",
            &peak,
            "a positive number",
        )?;
        match &self.decay {
            Decay::Step { factor, .. } => {
                let ok = *factor > 0.0 && *factor <= 1.0;
                range(
                    ok,
                    "learning_rate.decay.factor",
                    factor,
                    "more than 0, at most 1",
                )
            }
            _ => Ok(()),
        }
    }
}

/// What every training has: its length, its steps and its average.
fn validate_training(
    total_images: u64,
    batch_size: usize,
    shards: usize,
    checkpoint_images: u64,
    ema_half_life_images: f64,
) -> Result<(), RecipeError> {
    range(
        total_images > 0,
        "total_images",
        &total_images,
        "at least 1",
    )?;
    range(batch_size > 0, "batch_size", &batch_size, "at least 1")?;
    let divides = shards > 0 && batch_size.is_multiple_of(shards);
    range(
        divides,
        "shards",
        &shards,
        "at least 1 and a divisor of `batch_size`",
    )?;
    range(
        checkpoint_images > 0,
        "checkpoint_images",
        &checkpoint_images,
        "at least 1",
    )?;
    let half_life = ema_half_life_images;
    let ok = half_life >= 0.0 && half_life.is_finite();
    range(
        ok,
        "ema_half_life_images",
        &half_life,
        "0 (no averaging) or more",
    )
}
