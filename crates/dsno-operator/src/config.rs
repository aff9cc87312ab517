//! The description of a network: what a weight file must come with.

mod error;

pub use error::UNetConfigError;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::unet::UNet;
use burn::tensor::Device;

/// Describes a U-Net, with or without temporal convolutions, completely.
///
/// The backbone is the progressive-distillation U-Net (Salimans & Ho 2022, arXiv:2202.00512), as the
/// DSNO paper uses it (arXiv:2211.13449, section 4). Without `temporal` it is a teacher that answers
/// for one time; with it, the operator that answers for all times at once.
///
/// # Examples
///
/// ```
/// use dsno_operator::{UNetConfig, Output, TemporalConvConfig};
///
/// let cifar10 = UNetConfig {
///     image_size: 32,
///     image_channels: 3,
///     base_channels: 256,
///     embedding_channels: 1024,
///     channel_multipliers: vec![1, 1, 1],
///     res_blocks: 3,
///     attention_resolutions: vec![8, 16],
///     heads: Heads::Count(1),
///     attention_groups: 32,
///     residual_groups: None,
///     classes: 0,
///     dropout: 0.2,
///     temporal: None,
///     output: Output::State,
/// };
/// assert_eq!(cifar10.parameter_count()?, 60_004_099);
/// let student = UNetConfig { temporal: Some(TemporalConvConfig { n_modes: 2 }), ..cifar10 };
/// assert_eq!(student.parameter_count()?, 65_771_267);
/// # use dsno_operator::Heads;
/// # Ok::<(), dsno_operator::UNetConfigError>(())
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

/// Settings of the temporal convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporalConvConfig {
    /// Fourier modes kept along time, the constant one included (`M`, at most `T/2 + 1`).
    pub n_modes: usize,
}

/// How an attention layer splits its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heads {
    /// This many heads, whatever the channels.
    Count(usize),
    /// Heads of this many channels each.
    Channels(usize),
}

impl Heads {
    /// Number of heads for a layer of so many channels, if they divide.
    pub(crate) fn of(self, channels: usize) -> Option<usize> {
        let (heads, rest) = match self {
            Self::Count(0) | Self::Channels(0) => return None,
            Self::Count(n) => (n, channels % n),
            Self::Channels(n) => (channels / n, channels % n),
        };
        (rest == 0 && heads > 0).then_some(heads)
    }
}

/// What the last convolution stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// The answer itself.
    State,
    /// Input noise minus the answer (`pred_eps` of the authors' code).
    NoiseMinusState,
    /// The clean image `x̂` and behind its channels the noise `ε̂`, of a network for one time per
    /// pass. The answer joins both, each where it errs least:
    ///
    /// ```text
    /// answer = σ² x̂ + α (z_t − σ ε̂)
    /// ```
    ///
    /// This is `mean_type` `both` of progressive distillation (Salimans & Ho 2022,
    /// arXiv:2202.00512, section 4), as its ImageNet networks have it. The answer predicts `x`.
    StateAndNoise,
}

impl UNetConfig {
    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`UNetConfigError`] names the first key that cannot work and what would.
    pub fn validate(&self) -> Result<(), UNetConfigError> {
        self.plan().map(drop)
    }

    /// Builds the network with fresh weights, a function of `seed` alone.
    ///
    /// Parameters are created lazily, on first use, so that loading weights costs no initialisation.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn init(&self, seed: u64, device: &Device) -> Result<UNet, UNetConfigError> {
        Ok(UNet::new(self, &self.plan()?, seed, device))
    }

    /// Counts the trainable numbers without building the network.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn parameter_count(&self) -> Result<usize, UNetConfigError> {
        Ok(self.plan()?.parameters(self))
    }

    /// Counts multiply-adds of one forward pass of one sample that asks for `times` times.
    ///
    /// Convolutions and matrix products are counted, temporal mixing as complex products of four
    /// real ones; norms, activations and the small Fourier transforms are not. One U-Net pass of a
    /// teacher is `multiply_adds(1)` of its own architecture.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn multiply_adds(&self, times: usize) -> Result<u64, UNetConfigError> {
        Ok(self.plan()?.multiply_adds(self, times))
    }

    /// The operator that can start at this network's weights: the same, with other temporal
    /// convolutions or none, and answering with the state itself where this one answers jointly.
    pub fn student(&self, temporal: Option<TemporalConvConfig>) -> Self {
        let output = match self.output {
            Output::StateAndNoise => Output::State,
            own => own,
        };
        Self {
            temporal,
            output,
            ..self.clone()
        }
    }

    /// Channels that leave the last convolution.
    pub(crate) fn head_channels(&self) -> usize {
        match self.output {
            Output::State | Output::NoiseMinusState => self.image_channels,
            Output::StateAndNoise => 2 * self.image_channels,
        }
    }

    /// Groups of a normalisation of so many channels in a residual block.
    pub(crate) fn residual_groups_of(&self, channels: usize) -> usize {
        self.residual_groups.unwrap_or((channels / 4).min(32))
    }

    /// The order of layers.
    pub(crate) fn plan(&self) -> Result<Plan, UNetConfigError> {
        self.check()?;
        Plan::new(self)
    }

    fn check(&self) -> Result<(), UNetConfigError> {
        let counts = [
            ("image_size", self.image_size),
            ("image_channels", self.image_channels),
            ("embedding_channels", self.embedding_channels),
            ("channel_multipliers", self.channel_multipliers.len()),
            ("res_blocks", self.res_blocks),
            ("attention_groups", self.attention_groups),
        ];
        if let Some(&(key, _)) = counts.iter().find(|(_, n)| *n == 0) {
            return Err(UNetConfigError::Zero { key });
        }
        if self.channel_multipliers.contains(&0) {
            return Err(UNetConfigError::Zero {
                key: "channel_multipliers",
            });
        }
        if self.temporal.is_some_and(|t| t.n_modes == 0) {
            return Err(UNetConfigError::Zero {
                key: "temporal.n_modes",
            });
        }
        if self.residual_groups == Some(0) {
            return Err(UNetConfigError::Zero {
                key: "residual_groups",
            });
        }
        if self.temporal.is_some() && self.output == Output::StateAndNoise {
            return Err(UNetConfigError::JointOutput);
        }
        if self.base_channels < 4 {
            return Err(UNetConfigError::Narrow {
                found: self.base_channels,
            });
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(UNetConfigError::Dropout {
                found: self.dropout,
            });
        }
        let levels = self.channel_multipliers.len();
        let divisor = u32::try_from(levels - 1)
            .ok()
            .and_then(|halvings| 1_usize.checked_shl(halvings))
            .filter(|divisor| self.image_size.is_multiple_of(*divisor))
            .ok_or(UNetConfigError::Size {
                image_size: self.image_size,
                levels,
                divisor: 1_usize.checked_shl(levels as u32 - 1).unwrap_or(usize::MAX),
            })?;
        let occurring: Vec<usize> = (0..levels).map(|l| self.image_size >> l).collect();
        debug_assert_eq!(occurring[levels - 1] * divisor, self.image_size);
        match self
            .attention_resolutions
            .iter()
            .find(|size| !occurring.contains(size))
        {
            Some(&asked) => Err(UNetConfigError::AttentionSize { asked, occurring }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
