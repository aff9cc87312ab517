//! The `[distill]` section.

use dsno_train::DistillRecipe;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::{Table, Value};

use super::file::one_line;

/// How students learn: the recipe, and the network that a perceptual distance needs.
///
/// `distance` is what [`dsno_train::Distance`] reads or `{ kind = "vgg16-features", weights = FILE }`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DistillSettings {
    /// Everything but a perceptual distance.
    pub(crate) recipe: DistillRecipe,
    /// The paper's distance for its best figures, which compares features of VGG-16.
    pub(crate) perceptual: Option<Perceptual>,
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

impl Perceptual {
    /// The file of weights.
    pub(crate) fn weights(&self) -> &str {
        match self {
            Self::Vgg16Features { weights } => weights,
        }
    }
}

impl<'de> Deserialize<'de> for DistillSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Table::deserialize(deserializer)?;
        let one_line = |error: toml::de::Error| D::Error::custom(one_line(&error));
        let perceptual = match table.get("distance") {
            Some(Value::Table(distance)) if names_perceptual(distance) => {
                Some(distance.clone().try_into().map_err(one_line)?)
            }
            _ => None,
        };
        if perceptual.is_some() {
            table.insert("distance".to_owned(), Value::from("l1"));
        }
        let recipe = table.try_into().map_err(one_line)?;
        Ok(Self { recipe, perceptual })
    }
}

fn names_perceptual(distance: &Table) -> bool {
    distance.get("kind").and_then(Value::as_str) == Some("vgg16-features")
}
