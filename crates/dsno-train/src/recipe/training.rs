//! What every training has: its length, its steps and its average.

use serde::{Deserialize, Serialize};

use super::{Adam, RecipeError, batch, count, range};
use crate::learning_rate::LearningRate;

/// Length, steps and average of a training, whatever it minimises.
///
/// In files of recipes its keys stand beside those of the recipe that it is part of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Examples seen in all, repetitions counted; rounded up to whole batches.
    pub total_images: u64,
    /// Examples per optimiser step.
    pub batch_size: usize,
    /// Equal parts of a batch whose gradients are averaged, computed at the same time (one after the
    /// other with dropout). Their number, not the number of processors, shapes the result.
    ///
    /// Written as `shards`, its earlier name, so that keys of runs stay what they were.
    #[serde(rename(serialize = "shards"), alias = "shards")]
    pub microbatches: usize,
    /// Step size.
    pub learning_rate: LearningRate,
    /// Moments of the optimiser.
    pub adam: Adam,
    /// Examples after which a weight's share in the average has halved; 0 to keep the raw weights.
    pub ema_half_life_images: f64,
    /// Examples between checkpoints.
    pub checkpoint_images: u64,
    /// Examples between lines of the metrics log.
    pub log_images: u64,
}

/// Reads a recipe whose table has the keys of a [`TrainingRecipe`] beside its own.
///
/// What `serde(flatten)` does, without its loss of which key an error belongs to.
macro_rules! beside_training {
    ($recipe:ident { $($own:ident: $type:ty),* }) => {
        impl<'de> serde::Deserialize<'de> for $recipe {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Flat {
                    $($own: $type,)*
                    total_images: u64,
                    batch_size: usize,
                    #[serde(alias = "shards")]
                    microbatches: usize,
                    learning_rate: crate::learning_rate::LearningRate,
                    adam: crate::recipe::Adam,
                    ema_half_life_images: f64,
                    checkpoint_images: u64,
                    log_images: u64,
                }
                let flat = Flat::deserialize(reader)?;
                Ok(Self {
                    $($own: flat.$own,)*
                    training: crate::recipe::TrainingRecipe {
                        total_images: flat.total_images,
                        batch_size: flat.batch_size,
                        microbatches: flat.microbatches,
                        learning_rate: flat.learning_rate,
                        adam: flat.adam,
                        ema_half_life_images: flat.ema_half_life_images,
                        checkpoint_images: flat.checkpoint_images,
                        log_images: flat.log_images,
                    },
                })
            }
        }
    };
}

pub(super) use beside_training;

impl TrainingRecipe {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError`] names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), RecipeError> {
        count("total_images", self.total_images)?;
        batch("batch_size", self.batch_size)?;
        let parts = self.microbatches;
        let ok = parts > 0 && self.batch_size.is_multiple_of(parts);
        let expected = "at least 1 and a divisor of `batch_size`";
        range(ok, "microbatches", &parts, expected)?;
        count("checkpoint_images", self.checkpoint_images)?;
        count("log_images", self.log_images)?;
        let half_life = self.ema_half_life_images;
        let ok = half_life >= 0.0 && half_life.is_finite();
        let expected = "0 (no averaging) or more";
        range(ok, "ema_half_life_images", &half_life, expected)?;
        self.learning_rate.validate()?;
        self.adam.validate()
    }
}
