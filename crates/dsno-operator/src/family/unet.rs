//! This project's own network: the U-Net of progressive distillation.

use burn::tensor::Device;
use dsno_ode::Prediction;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::check::{
    BLOCKS, CHANNELS, CLASSES, check_attention_sizes, check_counts, check_dropout, check_range,
    check_size,
};
use crate::config_error::ConfigError;
use crate::describe::Description;
use crate::family::{Family, FamilyConfig, keys};
use crate::layer_config::{Heads, TemporalConvConfig};
use crate::layout::QkvOrder;
use crate::plan::{
    At, AttentionOptions, Builder, ClassInput, EmbeddingPlan, HeadOutput, HeadPlan, Names, Plan,
    TimestepFeatures, Walk,
};
use crate::process::Process;
use crate::unet::UNet;

/// This project's own network, which students share.
pub(crate) const FAMILY: Family = Family {
    name: "unet",
    read: |table| Ok(Box::new(keys::<OwnNetwork>(table)?)),
};

/// A network of ours and what it predicts, if it is a teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnNetwork {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prediction: Option<Prediction>,
    pub(crate) architecture: UNetConfig,
}

impl FamilyConfig for OwnNetwork {
    fn family(&self) -> Family {
        FAMILY
    }

    fn table(&self) -> Table {
        Table::try_from(self).expect("invariant: configurations are tables")
    }

    fn classes(&self) -> usize {
        self.architecture.classes
    }

    fn with_image_size(&self, image_size: usize) -> Box<dyn FamilyConfig> {
        let architecture = UNetConfig {
            image_size,
            ..self.architecture.clone()
        };
        Box::new(Self {
            architecture,
            ..self.clone()
        })
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        self.architecture.plan(self.prediction)
    }
}

/// Added to every variance.
const EPSILON: f64 = 1e-6;

/// Describes a U-Net of ours, with or without temporal convolutions, completely.
///
/// The backbone is the progressive-distillation U-Net (Salimans & Ho 2022, arXiv:2202.00512), as the
/// DSNO paper uses it (arXiv:2211.13449, section 4). Without `temporal` it is a teacher that predicts
/// for one time; with it, the operator that predicts for all times at once.
///
/// # Examples
///
/// ```
/// use dsno_operator::{TemporalConvConfig, UNetConfig};
///
/// let cifar10 = UNetConfig::new(32, 3)
///     .with_base_channels(256)
///     .with_channel_multipliers(vec![1, 1, 1])
///     .with_res_blocks(3)
///     .with_attention_resolutions(vec![8, 16])
///     .with_dropout(0.2);
/// assert_eq!(cifar10.parameter_count()?, 60_004_099);
/// let student = cifar10.with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
/// assert_eq!(student.parameter_count()?, 65_771_267);
/// # Ok::<(), dsno_operator::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNetConfig {
    /// Height and width of the images, in pixels.
    pub image_size: usize,
    /// Channels of the images: 1 for grey, 3 for colour.
    pub image_channels: usize,
    /// Channels at full resolution, before any multiplier.
    pub base_channels: usize,
    /// Width `E` of the noise-level embedding.
    pub embedding_channels: usize,
    /// One factor of `base_channels` per resolution, finest first; each level halves the size.
    pub channel_multipliers: Vec<usize>,
    /// Residual blocks per level on the way down; the way up has one more.
    pub res_blocks: usize,
    /// Sizes (in pixels) at which blocks are followed by self-attention; the middle always is.
    pub attention_resolutions: Vec<usize>,
    /// How attention splits its channels.
    pub heads: Heads,
    /// Groups of the normalisations before attention and before the output; 32 in published networks.
    pub attention_groups: usize,
    /// Groups of the normalisations in residual blocks; none for a quarter of the channels, at most
    /// 32, as in the DSNO authors' code. Progressive distillation has 32, which is something else
    /// below 128 channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_groups: Option<usize>,
    /// Number of classes; 0 for an unconditional network.
    pub classes: usize,
    /// Probability with which residual blocks drop an activation while training, in `[0, 1)`.
    pub dropout: f64,
    /// Temporal convolutions after every block, or none.
    pub temporal: Option<TemporalConvConfig>,
    /// What the network's last convolution stands for.
    pub output: Output,
}

/// What the last convolution stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// The prediction itself.
    State,
    /// Input noise minus the prediction (`pred_eps` of the authors' code).
    NoiseMinusState,
    /// The clean image `x̂` and behind its channels the noise `ε̂`, of a network for one time per
    /// pass. The prediction joins both, each where it errs least:
    ///
    /// ```text
    /// prediction = σ² x̂ + α (z_t − σ ε̂)
    /// ```
    ///
    /// This is `mean_type` `both` of progressive distillation (Salimans & Ho 2022,
    /// arXiv:2202.00512, section 4), as its ImageNet networks have it; it predicts `x`.
    StateAndNoise,
}

impl UNetConfig {
    /// A network for square images of so many pixels and channels: 64 channels at full resolution and an
    /// embedding four times as wide, three levels `[1, 2, 2]` of two blocks, attention with one head at
    /// a quarter of the size, no classes, no dropout, no temporal convolutions.
    ///
    /// Everything can be changed by the methods below or by the fields.
    pub fn new(image_size: usize, image_channels: usize) -> Self {
        Self {
            image_size,
            image_channels,
            base_channels: 64,
            embedding_channels: 256,
            channel_multipliers: vec![1, 2, 2],
            res_blocks: 2,
            attention_resolutions: vec![image_size / 4],
            heads: Heads::Count(1),
            attention_groups: 32,
            residual_groups: None,
            classes: 0,
            dropout: 0.0,
            temporal: None,
            output: Output::State,
        }
    }

    /// Sets the channels at full resolution, and the width of the embedding to four times as many.
    #[must_use]
    pub fn with_base_channels(self, base_channels: usize) -> Self {
        Self {
            base_channels,
            embedding_channels: 4 * base_channels,
            ..self
        }
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first key that cannot work and what would.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.plan(None).map(drop)
    }

    /// Builds the network with fresh weights, a function of `seed` alone.
    ///
    /// Parameters are created lazily, on first use, so that loading weights costs no initialisation.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn init(&self, seed: u64, device: &Device) -> Result<UNet, ConfigError> {
        Ok(UNet::new(self.plan(None)?, seed, device))
    }

    /// Counts the trainable parameters without building the network.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn parameter_count(&self) -> Result<usize, ConfigError> {
        Ok(self.plan(None)?.parameter_count())
    }

    /// Counts multiply-adds of one forward pass of one sample that asks for `times` times.
    ///
    /// Convolutions and matrix products are counted, temporal mixing as complex products of four
    /// real ones; norms, activations and the small Fourier transforms are not. One U-Net pass of a
    /// teacher is `multiply_adds(1)` of its own configuration.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn multiply_adds(&self, times: usize) -> Result<u64, ConfigError> {
        Ok(self.plan(None)?.multiply_adds(times))
    }

    /// Describes a forward pass of one sample that asks for `times` times, layer by layer.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn describe(&self, times: usize) -> Result<Description, ConfigError> {
        Ok(self.plan(None)?.describe(times))
    }

    /// The order of layers of a network that predicts this, if it is a teacher.
    pub(crate) fn plan(&self, prediction: Option<Prediction>) -> Result<Plan, ConfigError> {
        self.check(prediction)?;
        let base = self.base_channels;
        let factors = self.channel_multipliers.iter();
        let widths: Vec<usize> = factors.map(|factor| base * factor).collect();
        let (output, outputs) = match self.output {
            Output::State => (HeadOutput::Prediction, 1),
            Output::NoiseMinusState => (HeadOutput::InputMinusPrediction, 1),
            Output::StateAndNoise => (HeadOutput::ImageAndNoise, 2),
        };
        let plan = Plan {
            image_shape: [self.image_channels, self.image_size, self.image_size],
            embedding: EmbeddingPlan {
                features: TimestepFeatures::Sinusoids {
                    of_log_snr: true,
                    cosines_first: false,
                    shift: 1,
                },
                width: base,
                channels: self.embedding_channels,
                class: ClassInput::table(self.classes, true),
                augment: 0,
            },
            centre_input: false,
            stem_channels: base,
            scale_shift: true,
            dropout: self.dropout,
            epsilon: EPSILON,
            filter: vec![0.5, 0.5],
            stages: Vec::new(),
            head: HeadPlan {
                channels: widths[0],
                groups: self.attention_groups,
                channels_out: outputs * self.image_channels,
                output,
            },
            process: Process::LogSnr(prediction),
            names: Names::Own,
            buffers: Vec::new(),
        };
        plan.laid_out(self, &widths, self.res_blocks)?
            .with_temporal(self.temporal)
    }

    fn check(&self, prediction: Option<Prediction>) -> Result<(), ConfigError> {
        let smallest = self.channel_multipliers.iter().copied().min().unwrap_or(0);
        let largest = self.channel_multipliers.iter().copied().max().unwrap_or(0);
        let levels = self.channel_multipliers.len();
        let widest = largest.saturating_mul(self.base_channels);
        let residual_groups = self.residual_groups.unwrap_or(1);
        check_counts(&[
            ("image_size", self.image_size, CHANNELS),
            ("image_channels", self.image_channels, CHANNELS),
            ("base_channels", self.base_channels, CHANNELS),
            ("embedding_channels", self.embedding_channels, CHANNELS),
            ("channel_multipliers", levels, BLOCKS),
            ("channel_multipliers", smallest, CHANNELS),
            ("base_channels * channel_multipliers", widest, CHANNELS),
            ("res_blocks", self.res_blocks, BLOCKS),
            ("attention_groups", self.attention_groups, CHANNELS),
            ("residual_groups", residual_groups, CHANNELS),
            ("classes", self.classes.max(1), CLASSES),
        ])?;
        if self.output == Output::StateAndNoise {
            if self.temporal.is_some() {
                return Err(ConfigError::JointOutput);
            }
            if let Some(other) = prediction.filter(|p| *p != Prediction::X) {
                let found = format!("{other:?}").to_lowercase();
                return Err(ConfigError::JointPrediction { found });
            }
        }
        // The table of sines and cosines needs two frequencies.
        let base = self.base_channels;
        check_range(base >= 4, "base_channels", base as f64, "at least 4")?;
        check_dropout(self.dropout)?;
        let sizes = check_size(self.image_size, levels)?;
        check_attention_sizes("attention_resolutions", &self.attention_resolutions, sizes)
    }
}

/// Methods that set one field each.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($field:ident: $type:ty);)*) => {
        impl UNetConfig {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self, $field: $type) -> Self {
                    Self { $field, ..self }
                }
            )*
        }
    };
}

setters! {
    /// Sets the width of the embedding.
    with_embedding_channels(embedding_channels: usize);
    /// Sets one factor of `base_channels` per resolution, finest first.
    with_channel_multipliers(channel_multipliers: Vec<usize>);
    /// Sets the residual blocks per level on the way down.
    with_res_blocks(res_blocks: usize);
    /// Sets the sizes at which blocks are followed by self-attention.
    with_attention_resolutions(attention_resolutions: Vec<usize>);
    /// Sets how attention splits its channels.
    with_heads(heads: Heads);
    /// Sets the groups of the normalisations before attention and before the output.
    with_attention_groups(attention_groups: usize);
    /// Sets the number of classes; 0 for an unconditional network.
    with_classes(classes: usize);
    /// Sets the probability with which residual blocks drop an activation while training.
    with_dropout(dropout: f64);
    /// Sets or removes the temporal convolutions.
    with_temporal(temporal: Option<TemporalConvConfig>);
    /// Sets what the last convolution stands for.
    with_output(output: Output);
}

/// Layers have the names that progressive distillation gives them.
impl Walk for UNetConfig {
    fn name(&self, at: At) -> String {
        match at {
            At::Down(level, block) => format!("down_{level}.block_{block}"),
            At::Halve(level) => format!("down_{level}.downsample"),
            At::Middle(block) => format!("mid.block_{}", block + 1),
            At::Up(level, block) => format!("up_{level}.block_{block}"),
            At::Double(level) => format!("up_{level}.upsample"),
        }
    }

    /// A quarter of the channels, at most 32, where they are not given.
    fn groups(&self, channels: usize) -> usize {
        self.residual_groups.unwrap_or((channels / 4).min(32))
    }

    fn attention(&self, at: At, layers: &Builder) -> Option<AttentionOptions> {
        let attends = self.attention_resolutions.contains(&layers.size);
        (attends || matches!(at, At::Middle(_))).then(|| AttentionOptions {
            name: self.name(at).replace("block", "attn"),
            heads: self.heads,
            order: QkvOrder::HeadsFirst,
            groups: Some(self.attention_groups),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
