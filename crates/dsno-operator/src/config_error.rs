//! What makes a network's configuration impossible.

/// Why a network cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A table lacks a key, has an unknown one, or one of the wrong type.
    #[error("{reason}")]
    Keys {
        /// What is wrong, with the key.
        reason: String,
    },
    /// A count is zero or larger than any network's; that of an empty list is 0.
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
    /// A number is outside the range in which it means something.
    #[error("architecture key `{key}` is {found}, expected {expected}")]
    Range {
        /// The key.
        key: &'static str,
        /// The value found.
        found: f64,
        /// What would work.
        expected: &'static str,
    },
    /// A list needs one entry per level, and has not.
    #[error("architecture key `{key}` has {found} entries, expected {expected}, one per level")]
    Length {
        /// The key.
        key: &'static str,
        /// Entries found.
        found: usize,
        /// Entries expected.
        expected: usize,
    },
    /// The image cannot be halved often enough.
    #[error("images of {size} pixels with {levels} levels need a size divisible by {divisor}")]
    Size {
        /// Height and width in pixels.
        size: usize,
        /// Number of levels.
        levels: usize,
        /// What the size must be divisible by.
        divisor: usize,
    },
    /// Attention is asked for at a size that never occurs.
    #[error("{key} has {asked}, but the sizes of this network are {occurring:?}")]
    AttentionSize {
        /// The key.
        key: &'static str,
        /// The size asked for.
        asked: usize,
        /// The sizes that occur.
        occurring: Vec<usize>,
    },
    /// Channels do not split into heads.
    #[error("the {channels} channels of `{place}` do not divide by {divisor} into heads")]
    Heads {
        /// The layer.
        place: String,
        /// Channels of the layer.
        channels: usize,
        /// Heads, or channels per head, asked for.
        divisor: usize,
    },
    /// Channels do not split into normalisation groups.
    #[error("the {channels} channels that `{place}` normalises do not divide into {groups} groups")]
    Groups {
        /// The layer.
        place: String,
        /// Channels that are normalised there.
        channels: usize,
        /// Groups asked for.
        groups: usize,
    },
    /// The network's output has channels that mean nothing.
    #[error(
        "the network has {found} output channels for images of {image}, expected {image}, or \
         {} if variances are learned", 2 * image
    )]
    OutChannels {
        /// Output channels.
        found: usize,
        /// Channels of the images.
        image: usize,
    },
    /// The network is conditioned on an index, and the schedule has no table to find it in.
    #[error("the schedule of a network that is told an index must be one of the discrete kinds")]
    NoTable,
    /// The resampling filter cannot double a size exactly.
    #[error("resample_filter is {found:?}, expected 2, 4, … or 64 taps with a sum other than 0")]
    Filter {
        /// The taps found.
        found: Vec<f64>,
    },
    /// The joint output needs states at the level that is asked for, not a trajectory's noise.
    #[error("output `state-and-noise` has no meaning with temporal convolutions; use `state`")]
    JointOutput,
    /// A teacher predicts for one time.
    #[error(
        "the architecture of a teacher has no `temporal`; a student is described by `times` instead of `prediction`"
    )]
    TemporalTeacher,
    /// A network of ours that is a teacher must say what it predicts.
    #[error("a teacher of our own network needs a `prediction`")]
    NoPrediction,
    /// The network is conditioned on vectors, and a teacher is given classes.
    #[error("a network with class_embed_type `identity` takes vectors, not classes")]
    Vectors,
    /// The network takes labels and does not say how many there are.
    #[error(
        "a network with class_embed_type `timestep` needs `num_class_embeds`, the number of classes"
    )]
    UnknownClasses,
    /// Image and noise side by side make an image.
    #[error("a network with output `state-and-noise` predicts `x`, not {found}")]
    JointPrediction {
        /// The prediction found.
        found: String,
    },
}
