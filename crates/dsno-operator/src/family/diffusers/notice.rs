//! What a reader of a model's files should tell its user.

use std::fmt;

/// Something in the files of a model that was read and says nothing about the network.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// Keys of `config.json` that do not shape the network were left alone.
    LeftAlone {
        /// The file's usual name.
        file: &'static str,
        /// The keys.
        keys: Vec<String>,
    },
    /// Samplers of this scheduler leave the predicted image as it is.
    NotClipped {
        /// Why: the key with its value, or the scheduler's class.
        because: String,
    },
    /// Samplers of this scheduler hold the predicted image to another range than `[-1, 1]`.
    ClippedTo {
        /// The largest value.
        range: f64,
    },
    /// Samplers of this scheduler hold the predicted image to a range that depends on its values.
    DynamicThreshold,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftAlone { file, keys } => {
                let keys = keys.join("`, `");
                write!(
                    f,
                    "{file} has keys that do not shape the network, left alone: `{keys}`"
                )
            }
            Self::NotClipped { because } => {
                write!(
                    f,
                    "the scheduler does not clip the predicted image ({because})"
                )
            }
            Self::ClippedTo { range } => {
                write!(
                    f,
                    "the scheduler clips the predicted image to ±{range} (`clip_sample_range`)"
                )
            }
            Self::DynamicThreshold => f.write_str(
                "the scheduler thresholds the predicted image dynamically (`thresholding`)",
            ),
        }
    }
}
