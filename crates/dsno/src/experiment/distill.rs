//! The `[distill]` section.

use dsno_train::{Adam, DistillRecipe, LearningRate, TimeWeight, TrainingRecipe};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use super::file::one_line;

/// How students learn: the keys of [`DistillRecipe`], with more kinds of `distance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistillSettings {
    pub(crate) distance: Distance,
    weight: TimeWeight,
    total_images: u64,
    batch_size: usize,
    /// Written as in [`TrainingRecipe`], so that keys of runs stay what they were.
    #[serde(rename(serialize = "shards"))]
    microbatches: usize,
    learning_rate: LearningRate,
    adam: Adam,
    ema_half_life_images: f64,
    checkpoint_images: u64,
    log_images: u64,
}

impl DistillSettings {
    /// The recipe of the training crate, unless it has no such distance.
    pub(crate) fn recipe(&self) -> Option<DistillRecipe> {
        let Distance::Pixels(distance) = self.distance else {
            return None;
        };
        Some(DistillRecipe {
            distance,
            weight: self.weight,
            training: TrainingRecipe {
                total_images: self.total_images,
                batch_size: self.batch_size,
                microbatches: self.microbatches,
                learning_rate: self.learning_rate.clone(),
                adam: self.adam,
                ema_half_life_images: self.ema_half_life_images,
                checkpoint_images: self.checkpoint_images,
                log_images: self.log_images,
            },
        })
    }
}

/// What the loss compares: pixels, or features of a trained network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Distance {
    /// Any distance of the training crate.
    Pixels(dsno_train::Distance),
    /// The paper's for its best figures.
    Perceptual(Perceptual),
}

/// A distance between features of a trained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Perceptual {
    /// Unit-normalised features of VGG-16, without learned calibration.
    Vgg16Features {
        /// The network's weights.
        weights: String,
    },
}

impl<'de> Deserialize<'de> for Distance {
    /// By `kind`, because serde forgets in untagged enums what was wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let kind = value.get("kind").and_then(Value::as_str);
        let read = if kind == Some("vgg16-features") {
            value.try_into().map(Self::Perceptual)
        } else {
            value.try_into().map(Self::Pixels)
        };
        read.map_err(|error| D::Error::custom(one_line(&error)))
    }
}
