//! What can be wrong with an EDM network's description or weights.

use dsno_checkpoint::CheckpointError;
use dsno_checkpoint::WeightError;

/// Why an EDM architecture cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EdmArchitectureError {
    /// A count is out of range; that of an empty list is 0.
    #[error("architecture key `{key}` is {found}, expected {least} to {most}")]
    Count {
        /// The key.
        key: &'static str,
        /// The value found.
        found: usize,
        /// The least that works.
        least: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The image cannot be halved often enough.
    #[error(
        "img_resolution {img_resolution} with {levels} levels in `channel_mult` cannot be halved {} times",
        levels - 1
    )]
    Size {
        /// Height and width in pixels.
        img_resolution: usize,
        /// Number of levels.
        levels: usize,
    },
    /// Attention is asked for at a size that never occurs.
    #[error("attn_resolutions has {asked}, but the sizes of this network are {occurring:?}")]
    AttentionSize {
        /// The size asked for.
        asked: usize,
        /// The sizes that occur.
        occurring: Vec<usize>,
    },
    /// Channels do not split into heads of 64.
    #[error("{channels} channels of the attention in `{place}` do not divide into {heads} heads")]
    Heads {
        /// Where in the network.
        place: String,
        /// Channels of the layer.
        channels: usize,
        /// Heads that the original would use.
        heads: usize,
    },
    /// Channels do not split into normalisation groups.
    #[error(
        "{channels} channels in `{place}` do not divide into min(32, channels/4) groups; change `model_channels` or `channel_mult`"
    )]
    Groups {
        /// Where in the network.
        place: String,
        /// Channels of the layer.
        channels: usize,
    },
    /// Dropout is not a probability.
    #[error("dropout is {found}, expected at least 0 and less than 1")]
    Dropout {
        /// The value found.
        found: f64,
    },
    /// The noise embedding cannot be halved into sines and cosines.
    #[error("the noise embedding has {found} channels, expected an even number of at least 4")]
    NoiseWidth {
        /// Its width.
        found: usize,
    },
    /// The resampling filter cannot double a size exactly.
    #[error("resample_filter is {found:?}, expected 2, 4, … or 64 taps with a sum other than 0")]
    Filter {
        /// The taps found.
        found: Vec<f64>,
    },
    /// A constant of the preconditioning is out of range.
    #[error(
        "preconditioning key `{key}` is {found}, expected a number above {above} and at most {most:e}"
    )]
    Constant {
        /// The key.
        key: &'static str,
        /// The value found.
        found: f64,
        /// What it must exceed.
        above: f64,
        /// The most that is accepted.
        most: f64,
    },
}

/// Why an EDM network could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdmError {
    /// The architecture is impossible.
    #[error(transparent)]
    Architecture(#[from] EdmArchitectureError),
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The weights cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights were trained with another resampling filter than the architecture's.
    #[error(
        "`{name}` holds another filter than the architecture's resample_filter: {found} where {expected} is expected"
    )]
    OtherFilter {
        /// The tensor.
        name: String,
        /// The first value that differs.
        found: f32,
        /// What the architecture gives.
        expected: f32,
    },
}
