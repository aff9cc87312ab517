//! The description of an EDM network: the arguments of its constructor.

use serde::{Deserialize, Serialize};
use toml::Table;

use super::layout::layout;
use super::preconditioning::Preconditioning;
use crate::config_error::ConfigError;
use crate::family::{self, Family, FamilyConfig};
use crate::plan::Plan;

/// Describes a network of Karras et al. 2022 (arXiv:2206.00364) completely.
///
/// Every key has the name of the argument that builds the network there, and all must be given.
/// Arguments that only matter while training it (`label_dropout`, `use_fp16`) have no key, nor have
/// those that only a sampler reads (`sigma_min`, `sigma_max`, `epsilon_t`). `dropout` has no effect
/// without gradients.
///
/// As a file, here of CIFAR-10 with classes and augmentation labels (55.7 M parameters without):
///
/// ```toml
/// img_resolution = 32             # height and width of the images, in pixels
/// img_channels = 3
/// label_dim = 10                  # classes; 0 for none
/// augment_dim = 9                 # width of the augmentation labels; 0 for none
/// model_channels = 128            # channels at full resolution, before any multiplier
/// channel_mult = [2, 2, 2]        # one factor per resolution, finest first
/// channel_mult_emb = 4            # width of the embedding, in model_channels
/// num_blocks = 4                  # residual blocks per level on the way down; one more on the way up
/// attn_resolutions = [16]         # sizes in pixels
/// dropout = 0.13
///
/// [model]
/// model_type = "SongUNet"         # or "DhariwalUNet", which has no further keys
/// embedding_type = "positional"   # "fourier" in NCSN++
/// channel_mult_noise = 1          # 2 in NCSN++
/// encoder_type = "standard"       # "residual" in NCSN++; or "skip"
/// decoder_type = "standard"       # or "skip"
/// resample_filter = [1, 1]        # [1, 3, 3, 1] in NCSN++
///
/// [preconditioning]
/// class_name = "EDMPrecond"       # or "VPPrecond", "VEPrecond", "iDDPMPrecond"
/// sigma_data = 0.5
/// ```
///
/// # Examples
///
/// ImageNet-64, whose published size is 295.9 M:
///
/// ```
/// use dsno_operator::NetworkConfig;
/// use dsno_operator::family::edm::{EdmConfig, EdmModel, Preconditioning};
///
/// let imagenet_64 = EdmConfig {
///     img_resolution: 64,
///     img_channels: 3,
///     label_dim: 1000,
///     augment_dim: 0,
///     model_channels: 192,
///     channel_mult: vec![1, 2, 3, 4],
///     channel_mult_emb: 4,
///     num_blocks: 3,
///     attn_resolutions: vec![32, 16, 8],
///     dropout: 0.1,
///     model: EdmModel::DhariwalUNet {},
///     preconditioning: Preconditioning::Edm { sigma_data: 0.5 },
/// };
/// assert_eq!(NetworkConfig::new(imagenet_64)?.parameter_count(), 295_899_267);
/// # Ok::<(), dsno_operator::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdmConfig {
    /// Height and width of the images, in pixels.
    pub img_resolution: usize,
    /// Channels of the images.
    pub img_channels: usize,
    /// Number of classes; 0 for an unconditional network.
    pub label_dim: usize,
    /// Width of the augmentation labels; 0 for none. Their weights are kept and never used: the
    /// labels are zero whenever images are sampled, and the map has no bias.
    pub augment_dim: usize,
    /// Channels at full resolution, before any multiplier.
    pub model_channels: usize,
    /// One factor of `model_channels` per resolution, finest first; each level halves the size.
    pub channel_mult: Vec<usize>,
    /// Width of the embedding, in units of `model_channels`.
    pub channel_mult_emb: usize,
    /// Residual blocks per level on the way down; the way up has one more.
    pub num_blocks: usize,
    /// Sizes in pixels at which blocks attend; the middle always does.
    pub attn_resolutions: Vec<usize>,
    /// Probability with which blocks drop an activation while training, in `[0, 1)`.
    pub dropout: f64,
    /// Which U-Net, with the options that only it has.
    pub model: EdmModel,
    /// What surrounds the U-Net.
    pub preconditioning: Preconditioning,
}

/// The U-Nets of the EDM paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type", deny_unknown_fields)]
pub enum EdmModel {
    /// DDPM++ and NCSN++ (Song et al. 2021, arXiv:2011.13456).
    SongUNet {
        /// How noise levels are embedded.
        embedding_type: EmbeddingType,
        /// Width of the noise embedding, in units of `model_channels`.
        channel_mult_noise: usize,
        /// What the encoder is told of the image at lower resolutions.
        encoder_type: EncoderType,
        /// Where the image is read off.
        decoder_type: DecoderType,
        /// Taps of the resampling filter in one dimension; an even number.
        resample_filter: Vec<f64>,
    },
    /// ADM (Dhariwal & Nichol 2021, arXiv:2105.05233): attention in heads of 64 channels.
    DhariwalUNet {},
}

/// How noise levels are embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddingType {
    /// Sines and cosines at fixed frequencies (DDPM++).
    Positional,
    /// Cosines and sines at random frequencies, which are part of the weights (NCSN++).
    Fourier,
}

/// What the encoder is told of the image at lower resolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderType {
    /// Nothing (DDPM++).
    Standard,
    /// The image itself, made smaller, through a 1×1 convolution.
    Skip,
    /// A pyramid of features, each made from the one before (NCSN++).
    Residual,
}

/// Where the image is read off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecoderType {
    /// At full resolution.
    Standard,
    /// At every resolution, enlarged and added up.
    Skip,
}

impl FamilyConfig for EdmConfig {
    fn family(&self) -> Family {
        super::FAMILY
    }

    fn table(&self) -> Table {
        family::table(self)
    }

    fn classes(&self) -> usize {
        self.label_dim
    }

    fn with_image_size(&self, img_resolution: usize) -> Box<dyn FamilyConfig> {
        Box::new(Self {
            img_resolution,
            ..self.clone()
        })
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        layout(self)
    }
}

/// The options of a network, of which ADM has no choice.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// DDPM++ or NCSN++, not ADM.
    pub(super) song: bool,
    /// Noise levels are embedded at random frequencies.
    pub(super) fourier: bool,
    /// Width of the noise embedding, in units of `model_channels`.
    pub(super) noise: usize,
    pub(super) encoder: EncoderType,
    pub(super) decoder: DecoderType,
    /// Taps of the resampling filter.
    pub(super) taps: &'a [f64],
}

impl EdmConfig {
    pub(super) fn options(&self) -> Options<'_> {
        match &self.model {
            EdmModel::SongUNet {
                embedding_type,
                channel_mult_noise,
                encoder_type,
                decoder_type,
                resample_filter,
            } => Options {
                song: true,
                fourier: *embedding_type == EmbeddingType::Fourier,
                noise: *channel_mult_noise,
                encoder: *encoder_type,
                decoder: *decoder_type,
                taps: resample_filter,
            },
            EdmModel::DhariwalUNet {} => Options {
                song: false,
                fourier: false,
                noise: 1,
                encoder: EncoderType::Standard,
                decoder: DecoderType::Standard,
                taps: &[1.0, 1.0],
            },
        }
    }

    /// Width of the noise embedding.
    pub(super) fn noise_channels(&self) -> usize {
        self.model_channels * self.options().noise
    }
}
