//! What makes an architecture impossible.

use super::Heads;

/// Why an architecture cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UNetConfigError {
    /// A count that must be positive is zero.
    #[error("architecture key `{key}` is zero, expected at least 1")]
    Zero {
        /// The key.
        key: &'static str,
    },
    /// The image cannot be halved often enough.
    #[error(
        "image_size {image_size} with {levels} levels in `channel_multipliers` needs a size divisible by {divisor}"
    )]
    Size {
        /// Height and width in pixels.
        image_size: usize,
        /// Number of levels.
        levels: usize,
        /// What the size must be divisible by.
        divisor: usize,
    },
    /// Attention is asked for at a size that never occurs.
    #[error("attention_resolutions has {asked}, but the sizes of this network are {occurring:?}")]
    AttentionSize {
        /// The size asked for.
        asked: usize,
        /// The sizes that occur.
        occurring: Vec<usize>,
    },
    /// Channels do not split into heads.
    #[error("heads {heads:?} do not divide the {channels} channels of an attention layer")]
    Heads {
        /// The setting.
        heads: Heads,
        /// Channels of the layer.
        channels: usize,
    },
    /// Channels do not split into normalisation groups.
    #[error(
        "{channels} channels {place} do not divide into {groups} groups; change `base_channels`, `channel_multipliers`, `attention_groups` or `residual_groups`"
    )]
    Groups {
        /// Channels of the layer.
        channels: usize,
        /// Groups asked for.
        groups: usize,
        /// Where in the network.
        place: String,
    },
    /// Dropout is not a probability.
    #[error("dropout is {found}, expected at least 0 and less than 1")]
    Dropout {
        /// The value found.
        found: f64,
    },
    /// The joint output needs states at the level that is asked for, not a trajectory's noise.
    #[error("output `state-and-noise` has no meaning with temporal convolutions; use `state`")]
    JointOutput,
    /// The embedding table needs two frequencies.
    #[error("base_channels is {found}, expected at least 4")]
    Narrow {
        /// The value found.
        found: usize,
    },
}
