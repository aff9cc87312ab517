use serde::{Deserialize, Serialize};
use toml::Table;

use super::layout::layout;
use crate::config_error::ConfigError;
use crate::family::{self, Family, FamilyConfig};
use crate::plan::Plan;
use crate::process::DdpmProcess;

/// Describes a `UNet2DModel` completely.
///
/// Keys have the names of `config.json`; its nulls are absent keys here, and keys of which only one
/// value is supported (`act_fn`, `time_embedding_type`) are left out.
/// [`from_folder`](Self::from_folder) reads the original's files.
///
/// As a file, here `google/ddpm-cifar10-32`:
///
/// ```toml
/// sample_size = 32                # height and width of the images, in pixels
/// in_channels = 3
/// out_channels = 3                # twice in_channels where variances are learned
/// center_input_sample = false     # the network sees 2z − 1
/// freq_shift = 1                  # rates of the time embedding are 10000^(−i/(half − freq_shift))
/// flip_sin_to_cos = false         # its cosines come first
/// # time_embedding_dim = 512      # width of the embedding, 4 · block_out_channels[0] if absent
/// down_block_types = ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"]
/// mid_block_type = "UNetMidBlock2D"       # absent: none
/// up_block_types = ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]
/// block_out_channels = [128, 256, 256, 256]
/// layers_per_block = 2            # on the way down; one more on the way up
/// mid_block_scale_factor = 1.0    # sums of both branches in the middle are divided by it
/// downsample_padding = 0          # 0: one row and column of zeros at the end only
/// downsample_type = "conv"        # of attention blocks; or "resnet"
/// upsample_type = "conv"
/// dropout = 0.0
/// # attention_head_dim = 8        # channels per head; absent: one head
/// norm_num_groups = 32
/// # attn_norm_num_groups = 32     # of the middle; absent: norm_num_groups, none with scale_shift
/// norm_eps = 1e-6
/// resnet_time_scale_shift = "default"     # or "scale_shift"
/// add_attention = true            # in the middle
/// # class_embed_type = "timestep" # or "identity"; absent: a table, if there are classes
/// # num_class_embeds = 10         # absent: no classes
///
/// [process]                  # scheduler_config.json
/// kind = "table"
/// prediction = "epsilon"
/// rescale_timesteps = false
/// schedule = { kind = "discrete-linear", entries = 1000, beta_start = 0.0001, beta_end = 0.02 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusersConfig {
    /// Height and width of the images, in pixels.
    pub sample_size: usize,
    /// Channels of the images.
    pub in_channels: usize,
    /// Channels of the answer: those of the images, or twice as many if variances are learned.
    pub out_channels: usize,
    /// The network sees `2z − 1`.
    pub center_input_sample: bool,
    /// Rates of the time embedding are `10000^(−i/(half − freq_shift))`.
    pub freq_shift: usize,
    /// Cosines come first in the time embedding.
    pub flip_sin_to_cos: bool,
    /// Width of the embedding, if not four times `block_out_channels[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_embedding_dim: Option<usize>,
    /// One per level, finest first.
    pub down_block_types: Vec<DownBlockType>,
    /// What stands between the way down and the way up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid_block_type: Option<MidBlockType>,
    /// One per level, coarsest first.
    pub up_block_types: Vec<UpBlockType>,
    /// Channels of each level, finest first; each level halves the size.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks per level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// Sums of both branches in the middle are divided by it.
    pub mid_block_scale_factor: f64,
    /// Zeros around a map that a convolution halves; with 0, there is one row and column at the end.
    pub downsample_padding: usize,
    /// How blocks with attention halve the size.
    pub downsample_type: ResampleType,
    /// How blocks with attention double the size.
    pub upsample_type: ResampleType,
    /// Probability with which blocks drop an activation while training, in `[0, 1)`.
    pub dropout: f64,
    /// Channels per head; absent, attention has one head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_head_dim: Option<usize>,
    /// Groups of every normalisation.
    pub norm_num_groups: usize,
    /// Groups of the normalisation before the attention in the middle; absent, `norm_num_groups`, or no
    /// normalisation with `scale_shift`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attn_norm_num_groups: Option<usize>,
    /// Added to every variance.
    pub norm_eps: f64,
    /// How blocks are told the noise level.
    pub resnet_time_scale_shift: TimeScaleShift,
    /// Whether there is attention in the middle.
    pub add_attention: bool,
    /// How conditions are embedded; absent, in a table of `num_class_embeds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_embed_type: Option<ClassEmbedType>,
    /// Number of classes of the table; absent without classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_class_embeds: Option<usize>,
    /// What the network is told of the noise, and what its answer means.
    pub process: DdpmProcess,
}

/// What a level of the way down is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownBlockType {
    /// Residual blocks, then a convolution that halves the size.
    #[serde(rename = "DownBlock2D")]
    Plain,
    /// Each residual block followed by attention.
    #[serde(rename = "AttnDownBlock2D")]
    Attention,
    /// Residual blocks, of which the last halves the size.
    #[serde(rename = "ResnetDownsampleBlock2D")]
    Resnet,
}

/// What a level of the way up is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpBlockType {
    /// Residual blocks, then repetition and a convolution that double the size.
    #[serde(rename = "UpBlock2D")]
    Plain,
    /// Each residual block followed by attention.
    #[serde(rename = "AttnUpBlock2D")]
    Attention,
    /// Residual blocks, of which the last doubles the size.
    #[serde(rename = "ResnetUpsampleBlock2D")]
    Resnet,
}

/// What the middle is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MidBlockType {
    /// Two residual blocks, with attention between them or not.
    #[serde(rename = "UNetMidBlock2D")]
    Plain,
}

/// How blocks with attention change the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResampleType {
    /// By a convolution.
    Conv,
    /// By a residual block.
    Resnet,
}

/// How blocks are told the noise level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeScaleShift {
    /// It is added before the second normalisation.
    Default,
    /// It scales and shifts what the second normalisation gives.
    ScaleShift,
}

/// How conditions are embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassEmbedType {
    /// Labels are numbers and are embedded as times are.
    Timestep,
    /// Conditions are vectors of the embedding's width.
    Identity,
}

impl FamilyConfig for DiffusersConfig {
    fn family(&self) -> Family {
        super::FAMILY
    }

    fn table(&self) -> Table {
        family::table(self)
    }

    fn classes(&self) -> usize {
        self.num_class_embeds.unwrap_or(0)
    }

    fn with_image_size(&self, sample_size: usize) -> Box<dyn FamilyConfig> {
        Box::new(Self {
            sample_size,
            ..self.clone()
        })
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        layout(self)
    }
}
