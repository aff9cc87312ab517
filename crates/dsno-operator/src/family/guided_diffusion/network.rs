use serde::{Deserialize, Serialize};
use toml::Table;

use super::layout::layout;
use crate::config_error::ConfigError;
use crate::family::{self, Family, FamilyConfig};
use crate::plan::Plan;
use crate::process::DdpmProcess;

/// Describes a U-Net of improved-diffusion, guided-diffusion or consistency models completely.
///
/// Keys have the names of the scripts' flags. Flags that only matter while training or sampling
/// (`use_fp16`, `use_checkpoint`, `timestep_respacing`, …) have no key; `-1` of a script is an absent
/// key here; `dropout` has no effect without gradients.
///
/// As a file, here of the class-conditional ImageNet-64 model of guided-diffusion:
///
/// ```toml
/// image_size = 64
/// image_channels = 3              # always 3 in the scripts
/// num_channels = 192              # channels at full resolution, before any factor
/// num_res_blocks = 3              # per level on the way down; the way up has one more
/// channel_mult = [1, 2, 3, 4]     # finest first; what the scripts choose is listed below
/// attention_resolutions = [32, 16, 8]     # sizes in pixels
/// num_heads = 4                   # where num_head_channels is absent
/// num_head_channels = 64          # channels per head
/// # num_heads_upsample = 4        # heads on the way up, if there are others
/// use_scale_shift_norm = true
/// resblock_updown = true          # residual blocks change the resolution
/// conv_resample = true            # if not: convolutions do, or nothing but averages and repetition
/// use_new_attention_order = true  # how heads lie in the file
/// num_classes = 1000              # 0 without class_cond, which stands for 1000 in the scripts
/// learn_sigma = true              # as many channels again in the answer, which are dropped
/// dropout = 0.1
///
/// [process]                  # diffusion_steps, noise_schedule and predict_xstart
/// kind = "table"
/// prediction = "epsilon"          # "x" for predict_xstart
/// rescale_timesteps = false       # true by default in improved-diffusion
/// schedule = { kind = "discrete-squared-cosine", entries = 1000 }
/// ```
///
/// The scripts' `linear` noise schedule has `beta_start = 0.1/N` and `beta_end = 20/N` for `N` steps.
/// Where `channel_mult` is not given, they take
///
/// ```text
/// image_size        512                        256                  128              64          32
/// channel_mult      0.5, 1, 1, 2, 2, 4, 4      1, 1, 2, 2, 4, 4     1, 1, 2, 3, 4    1, 2, 3, 4   1, 2, 2, 2
/// ```
///
/// The stem has `channel_mult[0] · num_channels` channels, as in guided-diffusion; it is a matter
/// only where the first factor is not 1. Published files of consistency models have the new
/// attention order, for they were trained with flash attention, and
/// `process = { kind = "karras", sigma_data = 0.5, sigma_min = 0.002 }`.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Denoiser};
/// use dsno_operator::NetworkConfig;
/// use dsno_operator::family::guided_diffusion::GuidedDiffusionConfig;
///
/// let architecture: GuidedDiffusionConfig = toml::from_str(
///     r#"
///     image_size = 8
///     image_channels = 1
///     num_channels = 32
///     num_res_blocks = 1
///     channel_mult = [1, 2]
///     attention_resolutions = [4]
///     num_heads = 2
///     use_scale_shift_norm = true
///     resblock_updown = false
///     conv_resample = true
///     use_new_attention_order = false
///     num_classes = 0
///     learn_sigma = true
///     dropout = 0.0
///     [process]
///     kind = "table"
///     prediction = "epsilon"
///     rescale_timesteps = false
///     schedule = { kind = "discrete-squared-cosine", entries = 1000 }
///     "#,
/// )?;
/// let device = Device::flex();
/// let network = NetworkConfig::new(architecture)?.init(1, &device);
/// let model = network.denoiser(None, true);
/// let z_t = Tensor::<4>::ones([2, 1, 8, 8], &device);
/// assert_eq!(model.denoise(z_t, NoiseLevel::from_log_snr(0.0)).dims(), [2, 1, 8, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the flags of the original scripts"
)]
pub struct GuidedDiffusionConfig {
    /// Height and width of the images, in pixels.
    pub image_size: usize,
    /// Channels of the images; 3 in the original scripts.
    pub image_channels: usize,
    /// Channels at full resolution, before any factor.
    pub num_channels: usize,
    /// Residual blocks per level on the way down; the way up has one more.
    pub num_res_blocks: usize,
    /// One factor of `num_channels` per resolution, finest first; products are rounded down.
    pub channel_mult: Vec<f64>,
    /// Sizes (in pixels) at which blocks are followed by self-attention; the middle always is.
    pub attention_resolutions: Vec<usize>,
    /// Heads of an attention layer, where `num_head_channels` is absent.
    pub num_heads: usize,
    /// Channels per head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_head_channels: Option<usize>,
    /// Heads on the way up, where they differ and `num_head_channels` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_heads_upsample: Option<usize>,
    /// Noise levels scale and shift the second normalisation of a block, instead of being added.
    pub use_scale_shift_norm: bool,
    /// Residual blocks change the resolution.
    pub resblock_updown: bool,
    /// If they do not: convolutions do.
    pub conv_resample: bool,
    /// Queries, keys and values lie one after the other, instead of head by head.
    pub use_new_attention_order: bool,
    /// Number of classes; 0 for an unconditional network.
    pub num_classes: usize,
    /// The network answers with variances too, which are dropped.
    pub learn_sigma: bool,
    /// Probability with which blocks drop an activation while training, in `[0, 1)`.
    pub dropout: f64,
    /// What the network is told of the noise, and what its answer means.
    pub process: DdpmProcess,
}

impl FamilyConfig for GuidedDiffusionConfig {
    fn family(&self) -> Family {
        super::FAMILY
    }

    fn table(&self) -> Table {
        family::table(self)
    }

    fn classes(&self) -> usize {
        self.num_classes
    }

    fn with_image_size(&self, image_size: usize) -> Box<dyn FamilyConfig> {
        Box::new(Self {
            image_size,
            ..self.clone()
        })
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        layout(self)
    }
}
