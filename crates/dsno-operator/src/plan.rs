//! The layers of a network in order, from which the network, its names, counts and costs follow.
//!
//! Every family of networks is laid out as one of these lists; everything after that is common.
//!
//! ```text
//! e = dense_1(SiLU(dense_0(features(timestep))))  [+ class]
//! x = stem(z)                                     pushed as the first skip connection
//! for each stage: x = layer([x | popped skip connection], e), pushed on the way down
//! y = head(SiLU(norm(x)))
//! ```

mod builder;
mod operator;

pub(crate) use builder::{At, AttentionOptions, Builder, Change, Walk};

use dsno_kernels::Resample;

use crate::layout::QkvOrder;
use crate::process::Process;

/// Everything that a network, its weight file and its counts follow from.
#[derive(Debug, Clone)]
#[allow(
    unreachable_pub,
    reason = "it seals `FamilyConfig`, whose method returns it"
)]
pub struct Plan {
    /// Channels, height and width of the images.
    pub(crate) image_shape: [usize; 3],
    pub(crate) embedding: EmbeddingPlan,
    /// The network sees `2z − 1`.
    pub(crate) centre_input: bool,
    /// Channels that leave the first convolution.
    pub(crate) stem_channels: usize,
    /// The timestep scales and shifts the second normalisation of a residual block, instead of being
    /// added before it.
    pub(crate) scale_shift: bool,
    pub(crate) dropout: f64,
    /// Added to the variance of every normalisation.
    pub(crate) epsilon: f64,
    /// Taps of the filter that changes the resolution, in one dimension, with sum 1.
    pub(crate) filter: Vec<f64>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) head: HeadPlan,
    pub(crate) process: Process,
    pub(crate) names: Names,
    /// Tensors of the weight file that are not trained.
    pub(crate) buffers: Vec<Buffer>,
}

/// How a timestep and a class become the vector that blocks are conditioned on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmbeddingPlan {
    pub(crate) features: TimestepFeatures,
    /// Numbers in the features of a timestep.
    pub(crate) width: usize,
    /// Width `E` of the embedding.
    pub(crate) channels: usize,
    pub(crate) class: ClassInput,
    /// Width of the augmentation labels of EDM's training, which are zero whenever images are sampled.
    pub(crate) augment: usize,
}

/// The fixed features of a timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TimestepFeatures {
    /// Sines and cosines at rates `10000^(−i/(half − shift))`.
    Sinusoids {
        /// Timesteps are log-SNRs `λ`, of which `1000 atan(exp(−λ/2))/(π/2)` is taken.
        of_log_snr: bool,
        cosines_first: bool,
        shift: usize,
    },
    /// Sines and cosines at frequencies that are stored with the weights under this name.
    Fourier { stored: &'static str },
}

/// What conditions the network besides the timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ClassInput {
    None,
    /// A label as a one-hot row, through a linear map.
    OneHot {
        classes: usize,
        bias: bool,
        /// Added to the features of the timestep, instead of to their embedding.
        to_features: bool,
        /// What stands for 1 in the row.
        strength: f64,
        /// Labels may be left out; the row is then zero.
        optional: bool,
    },
    /// A label, embedded as timesteps are.
    Numbers,
    /// A vector of width `E`.
    Vectors,
}

impl ClassInput {
    /// A table of one vector of width `E` per class, to which a bias is added or not; none of no classes.
    pub(crate) const fn table(classes: usize, bias: bool) -> Self {
        if classes == 0 {
            return Self::None;
        }
        Self::OneHot {
            classes,
            bias,
            to_features: false,
            strength: 1.0,
            optional: false,
        }
    }
}

/// One layer, and how it is joined to the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stage {
    /// Its name in the weight file; of a network of ours in those of progressive distillation, since our
    /// own files number layers.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Side of the feature maps that come out, in pixels.
    pub(crate) size: usize,
    pub(crate) path: Path,
    /// A temporal convolution of an operator stands behind this layer.
    pub(crate) ends_block: bool,
}

/// What a layer reads and writes.
///
/// The side image of NCSN++ and its like is the input at lower resolutions on the way down, and the
/// output at higher ones on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// The main path.
    Main {
        /// Pops a skip connection, which is concatenated behind the input.
        pops: bool,
        /// Pushes its result as a skip connection.
        pushes: bool,
    },
    /// Changes the side image.
    Side,
    /// Adds what it makes of the side image to the main path and to the newest skip connection.
    Join,
    /// As `Join`, divided by √2, and the sum is the next side image.
    JoinAndKeep,
    /// Adds an image read off the main path to the side image.
    Read,
}

impl Path {
    pub(crate) const MAIN: Self = Self::Main {
        pops: false,
        pushes: false,
    };
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Residual(ResidualShape),
    Attention(AttentionShape),
    Temporal {
        channels: usize,
        n_modes: usize,
    },
    /// Halves the size by a convolution with stride 2 or by averages, or doubles it by repetition,
    /// followed by a convolution or not.
    Resampler {
        channels: usize,
        resample: Resample,
        /// Zeros before and after each axis for the convolution, if there is one.
        conv: Option<(usize, usize)>,
    },
    /// A change of resolution of the side image, a convolution, or both.
    Side(SideShape),
    /// Normalises, activates and convolves.
    Head {
        channels: [usize; 2],
        groups: usize,
    },
}

impl Kind {
    /// Channels of the maps that come out.
    pub(crate) fn channels_out(self) -> usize {
        match self {
            Self::Residual(ResidualShape { channels, .. })
            | Self::Side(SideShape { channels, .. })
            | Self::Head { channels, .. } => channels[1],
            Self::Attention(AttentionShape { channels, .. })
            | Self::Temporal { channels, .. }
            | Self::Resampler { channels, .. } => channels,
        }
    }
}

/// What one residual block has that others of its network may not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ResidualShape {
    /// Into and out of the block.
    pub(crate) channels: [usize; 2],
    /// Of both normalisations.
    pub(crate) groups: [usize; 2],
    pub(crate) resample: Resample,
    /// A 1×1 convolution on the shortcut.
    pub(crate) shortcut: bool,
    /// Factor of the sum of both branches.
    pub(crate) scale: f64,
}

/// What an attention layer has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionShape {
    pub(crate) channels: usize,
    pub(crate) heads: usize,
    /// Groups of the normalisation, if there is one.
    pub(crate) groups: Option<usize>,
    /// Factor of the sum of both branches.
    pub(crate) scale: f64,
    /// How the weight file holds the projections.
    pub(crate) order: QkvOrder,
}

/// What a layer of the side image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SideShape {
    pub(crate) channels: [usize; 2],
    /// Side of the kernel; 0 for none.
    pub(crate) kernel: usize,
    pub(crate) resample: Resample,
    /// Convolves before the resolution changes, instead of after.
    pub(crate) conv_first: bool,
}

/// The last normalisation and convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadPlan {
    pub(crate) channels: usize,
    pub(crate) groups: usize,
    pub(crate) channels_out: usize,
    pub(crate) output: HeadOutput,
}

/// What the channels of the last convolution stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadOutput {
    /// The prediction, with learned variances behind it or not.
    Prediction,
    /// The input minus the prediction.
    InputMinusPrediction,
    /// The clean image and behind it the noise, of which one prediction is made.
    ImageAndNoise,
    /// A teacher's prediction, read as the clean image by its process, and behind it the rest of the
    /// state: the output of an operator.
    CleanImageAndRest,
}

/// Under which names a weight file holds the network.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// Ours: the paths of the modules.
    Own,
    /// Another program's.
    Foreign {
        dialect: &'static Dialect,
        /// Modules outside of the list of layers: our path, their name.
        frame: Vec<(&'static str, String)>,
    },
}

impl Names {
    pub(crate) fn foreign<const N: usize>(
        dialect: &'static Dialect,
        frame: [(&'static str, &str); N],
    ) -> Self {
        let frame = frame.map(|(ours, theirs)| (ours, theirs.to_owned())).into();
        Self::Foreign { dialect, frame }
    }
}

/// The words of another program's weight files, by our paths.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Modules inside a layer. The empty word is the layer's own name; one that begins with `_`
    /// continues it.
    pub(crate) layer: &'static [(&'static str, &'static str)],
    /// Modules that older files call otherwise: the present name's end, the older one's.
    pub(crate) older: &'static [(&'static str, &'static str)],
    /// Axes of length one behind the weights of attention.
    pub(crate) attention_ones: usize,
    /// The map of classes is stored `[out, in]`.
    pub(crate) transposed_class: bool,
}

/// A tensor of a weight file that is not trained.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Buffer {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) value: BufferValue,
}

/// What a buffer holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BufferValue {
    /// The resampling filter in two dimensions: follows from the plan, and must be what follows.
    Filter,
    /// These numbers in a fresh network; what a file stores is part of the model.
    Constant(Vec<f32>),
    /// Normal draws of this deviation in a fresh network; what a file stores is part of the model.
    Random(f64),
}
