/// Why an architecture of the DDPM family cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DdpmArchitectureError {
    /// A count is zero, a list is empty, or a number is larger than any network's.
    #[error("architecture key `{key}` is {found}, expected 1 to {most}")]
    Count {
        /// The key.
        key: &'static str,
        /// The value found.
        found: usize,
        /// The largest that is built.
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
    #[error("attention_resolutions has {asked}, but the sizes of this network are {occurring:?}")]
    AttentionSize {
        /// The size asked for.
        asked: usize,
        /// The sizes that occur.
        occurring: Vec<usize>,
    },
    /// Channels do not split into heads.
    #[error("the {channels} channels of `{place}` do not divide by {divisor} into heads")]
    Heads {
        /// Name of the layer in the weight file.
        place: String,
        /// Channels of the layer.
        channels: usize,
        /// Heads, or channels per head, asked for.
        divisor: usize,
    },
    /// Channels do not split into normalisation groups.
    #[error("the {channels} channels that `{place}` normalises do not divide into {groups} groups")]
    Groups {
        /// Name of the layer in the weight file.
        place: String,
        /// Channels that are normalised there.
        channels: usize,
        /// Groups asked for.
        groups: usize,
    },
    /// The network answers with channels that mean nothing.
    #[error(
        "the network answers with {found} channels for images of {image}, expected {image}, or \
         {} if variances are learned", 2 * image
    )]
    OutChannels {
        /// Channels of the answer.
        found: usize,
        /// Channels of the images.
        image: usize,
    },
    /// The network is told an index, and the schedule has no table to find it in.
    #[error("the schedule of a network that is told an index must be one of the discrete kinds")]
    NoTable,
}
