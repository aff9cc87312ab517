//! The order of layers, from which networks, names, shapes and counts follow.

mod layout;

/// Layers in the order in which they run, the embedding apart.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
}

/// One layer, its name in files and its part in the network.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Such as `enc.32x32_conv`.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) kind: Kind,
}

/// What a layer reads and writes. The side image is the input at lower resolutions on the way down,
/// and the answer at higher ones on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Main path down; the result is remembered.
    Down,
    /// Main path up; the newest remembered map is concatenated behind the input if asked for.
    Up { takes_skip: bool },
    /// Changes the side image.
    Side,
    /// Adds what it makes of the side image to the newest remembered map and to the main path.
    Join,
    /// As `Join`, divided by √2, and the sum is the next side image.
    JoinAndKeep,
    /// Normalises and activates the main path for `Read`.
    Normalise,
    /// Adds an image read off the normalised main path to the side image.
    Read,
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Convolution(ConvShape),
    Block(BlockShape),
    Norm { channels: usize },
}

/// A convolution, a change of size, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConvShape {
    pub(super) channels: [usize; 2],
    /// Side of the kernel; 0 for a change of size alone.
    pub(super) kernel: usize,
    pub(super) resample: Resample,
}

impl ConvShape {
    /// A convolution that keeps the size.
    pub(super) fn keeping(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            channels,
            kernel,
            resample: Resample::Keep,
        }
    }
}

/// A residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockShape {
    pub(super) channels: [usize; 2],
    pub(super) resample: Resample,
    /// 0 for no attention.
    pub(super) heads: usize,
}

impl BlockShape {
    /// The convolution that changes channels and size.
    pub(super) fn first(&self) -> ConvShape {
        ConvShape {
            channels: self.channels,
            kernel: 3,
            resample: self.resample,
        }
    }

    /// What the block's input passes on its way to the sum, if anything. `projects` puts a 1×1
    /// convolution wherever the size changes, also between equal channels.
    pub(super) fn skip(&self, projects: bool) -> Option<ConvShape> {
        let (widens, resizes) = (
            self.channels[0] != self.channels[1],
            self.resample != Resample::Keep,
        );
        (widens || resizes).then(|| ConvShape {
            channels: self.channels,
            kernel: usize::from(widens || projects),
            resample: self.resample,
        })
    }
}

/// Change of size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resample {
    Keep,
    Halve,
    /// Convolves before it halves, instead of after.
    HalveAfter,
    Double,
}

/// Groups of a normalisation: at least four channels each, at most 32.
pub(super) fn groups(channels: usize) -> usize {
    (channels / 4).min(32)
}
