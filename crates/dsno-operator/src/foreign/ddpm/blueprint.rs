//! A network of the family laid out: its layers in order, and the tensors of its weight file.

use super::attention::HeadOrder;
use super::process::Process;
use super::sinusoids::Sinusoids;
use crate::plan::Resample;

/// Everything that the network, its names and its counts follow from.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    /// Channels of the images.
    pub(crate) image_channels: usize,
    /// Channels of the answer: the image's, or twice as many where variances are learned.
    pub(crate) out_channels: usize,
    pub(crate) sinusoids: Sinusoids,
    /// Width `E` of the embedding.
    pub(crate) embedding: usize,
    pub(crate) class: ClassInput,
    pub(crate) normalisation: Normalisation,
    /// Noise levels scale and shift the second normalisation, instead of being added before it.
    pub(crate) scale_shift: bool,
    pub(crate) dropout: f64,
    /// The network sees `2z − 1`.
    pub(crate) centre_input: bool,
    /// Channels at full resolution, of the first and of the last layer.
    pub(crate) ends: [usize; 2],
    pub(crate) stages: Vec<Stage>,
    pub(crate) dialect: &'static Dialect,
    pub(crate) process: Process,
}

/// What the network is told besides the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClassInput {
    None,
    /// A label, looked up in a table.
    Table {
        classes: usize,
    },
    /// A label, embedded as times are.
    Numbers,
    /// A vector of width `E`.
    Vectors,
}

/// Groups of a normalisation, and what is added to their variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalisation {
    pub(crate) groups: usize,
    pub(crate) epsilon: f64,
}

/// One layer, what surrounds it, and its name in the weight file.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The newest remembered map is concatenated behind the input.
    pub(crate) takes_skip: bool,
    /// The result is remembered for the way up.
    pub(crate) leaves_skip: bool,
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Residual {
        /// Into and out of the block.
        channels: [usize; 2],
        resample: Resample,
        /// The sum of both branches is divided by it.
        factor: f64,
    },
    Attention {
        channels: usize,
        heads: usize,
        order: HeadOrder,
        /// Groups of the normalisation, if there is one.
        groups: Option<usize>,
        factor: f64,
    },
    Halve {
        channels: usize,
        /// Zeros before and after each axis; averages instead of a convolution if absent.
        padding: Option<(usize, usize)>,
    },
    Double {
        channels: usize,
        conv: bool,
    },
}

/// The words of a family's weight files, by our paths.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Modules outside of the list of layers.
    pub(crate) frame: &'static [(&'static str, &'static str)],
    /// Modules inside a layer; the empty name is the layer's own.
    pub(crate) layer: &'static [(&'static str, &'static str)],
    /// Modules that older files call otherwise: the present name's end, the older one's.
    pub(crate) older: &'static [(&'static str, &'static str)],
}
