//! The settings files of the DSNO authors' program.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config_error::ConfigError;
use crate::family::unet::{Output, UNetConfig};
use crate::layer_config::{Heads, TemporalConvConfig};

/// What their program reads from its YAML file, as far as it describes the network and its times.
///
/// Any format of serde will do, JSON too. Other keys of `data` and `model` belong to the training or
/// are read nowhere; [`Settings::ignored_keys`] lists those that the file has.
///
/// # Examples
///
/// ```
/// use dsno_operator::interop::dsno_pytorch::Settings;
///
/// let settings: Settings = serde_json::from_str(r#"{
///     "data": {"image_size": 8, "num_channels": 3, "num_steps": 512, "t_dim": 17,
///              "t_idx": [0, 4, 8, 12, 16], "time_step": "quad", "epsilon": 0.0},
///     "model": {"nf": 32, "temb_dim": 64, "ch_mult": [1, 2], "num_res_blocks": 1,
///               "attn_resolutions": [4], "num_attn_heads": 1, "dropout": 0.2, "num_classes": 0,
///               "num_modes": 2, "time_conv": true, "pred_eps": false, "logsnr_type": "inv_cos",
///               "num_t": 4, "num_pad": 0, "mean_type": "x"}
/// }"#)?;
/// assert_eq!(settings.architecture()?.temporal.map(|t| t.n_modes), Some(2));
/// assert_eq!(settings.trajectory()?.unwrap().times, [0.5625, 0.25, 0.0625, 0.0]);
/// assert_eq!(settings.ignored_keys(), ["model.mean_type"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    data: Data,
    model: Model,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(
    clippy::zero_sized_map_values,
    reason = "serde flattens into maps only"
)]
struct Data {
    image_size: usize,
    num_channels: usize,
    num_steps: Option<usize>,
    t_dim: Option<usize>,
    t_idx: Option<Vec<usize>>,
    time_step: Option<String>,
    epsilon: Option<f64>,
    #[serde(flatten)]
    rest: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(
    clippy::zero_sized_map_values,
    reason = "serde flattens into maps only"
)]
struct Model {
    nf: usize,
    temb_dim: usize,
    ch_mult: Vec<usize>,
    num_res_blocks: usize,
    attn_resolutions: Vec<usize>,
    num_attn_heads: Option<usize>,
    head_dim: Option<usize>,
    dropout: f64,
    #[serde(default)]
    num_classes: usize,
    num_modes: usize,
    time_conv: bool,
    #[serde(default)]
    pred_eps: bool,
    num_t: Option<usize>,
    #[serde(default)]
    num_pad: usize,
    with_nin: Option<bool>,
    conditional: Option<bool>,
    fourier_feature: Option<bool>,
    resblock_type: Option<String>,
    logsnr_type: Option<String>,
    nonlinearity: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, IgnoredAny>,
}

/// The times that an operator of theirs answers for, noisiest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Times that only pad the temporal convolutions, ahead of the others.
    pub padding: Vec<f64>,
    /// Times of the states that are kept.
    pub times: Vec<f64>,
}

/// Why settings describe no network of ours.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The architecture cannot be built.
    #[error(transparent)]
    Architecture(#[from] ConfigError),
    /// A setting that their program has a key for but cannot run, or that we do not know.
    #[error("`model.{key}` is {found}, expected {expected}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
    /// `t_idx` selects fewer states than are asked for, or one that is not stored.
    #[error("`t_idx` {indices:?} cannot give {wanted} of {stored} stored times beside the noise")]
    Times {
        /// `t_idx`.
        indices: Vec<usize>,
        /// `num_t + num_pad`.
        wanted: usize,
        /// `t_dim`.
        stored: usize,
    },
    /// The steps do not divide among the stored times.
    #[error("{steps} steps with {stored} stored times fit no `{spacing}` spacing")]
    Steps {
        /// `num_steps`.
        steps: usize,
        /// `t_dim`.
        stored: usize,
        /// `time_step`.
        spacing: String,
    },
}

impl Settings {
    /// The network that these settings describe.
    ///
    /// # Errors
    ///
    /// * [`SettingsError::Unsupported`] for what does not run in their program either:
    ///   `with_nin`, `fourier_feature`, no noise conditioning, `ddpm` blocks;
    /// * [`SettingsError::Architecture`] if it cannot be built.
    pub fn architecture(&self) -> Result<UNetConfig, SettingsError> {
        let model = &self.model;
        model.check()?;
        // `head_dim` overrides the count, as there.
        let heads = match (model.head_dim, model.num_attn_heads) {
            (Some(channels), _) => Heads::Channels(channels),
            (None, count) => Heads::Count(count.unwrap_or(1)),
        };
        let temporal = model.time_conv.then_some(TemporalConvConfig {
            n_modes: model.num_modes,
        });
        let output = if model.pred_eps {
            Output::NoiseMinusState
        } else {
            Output::State
        };
        let architecture = UNetConfig::new(self.data.image_size, self.data.num_channels)
            .with_base_channels(model.nf)
            .with_embedding_channels(model.temb_dim)
            .with_channel_multipliers(model.ch_mult.clone())
            .with_res_blocks(model.num_res_blocks)
            .with_attention_resolutions(model.attn_resolutions.clone())
            .with_heads(heads)
            .with_classes(model.num_classes)
            .with_dropout(model.dropout)
            .with_temporal(temporal)
            .with_output(output);
        architecture.validate()?;
        Ok(architecture)
    }

    /// The times of the operator, if the file gives them.
    ///
    /// ```text
    /// uniform   t = 1 − i/(t_dim − 1)          i in t_idx
    /// quad      t = (i/(t_dim − 1))²
    /// ```
    ///
    /// of which the last `num_t + num_pad` are asked for, falling. Their program has the quadratic
    /// rule for 512 steps and 17 times only, where it agrees with this one.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Times`] and [`SettingsError::Steps`] if the keys contradict each other.
    pub fn trajectory(&self) -> Result<Option<Trajectory>, SettingsError> {
        let (data, model) = (&self.data, &self.model);
        let (Some(num_t), Some(t_dim), Some(t_idx), Some(num_steps)) =
            (model.num_t, data.t_dim, &data.t_idx, data.num_steps)
        else {
            return Ok(None);
        };
        let wanted = num_t + model.num_pad;
        let refused = || SettingsError::Times {
            indices: t_idx.clone(),
            wanted,
            stored: t_dim,
        };
        // The first of the selection is the noise itself.
        if num_t == 0 || wanted >= t_idx.len() || t_idx.iter().any(|&i| i >= t_dim) {
            return Err(refused());
        }
        let spacing = data.time_step.as_deref().unwrap_or("uniform");
        let intervals = t_dim - 1;
        let steps: Vec<usize> = match spacing {
            "uniform" if num_steps.is_multiple_of(intervals) => {
                t_idx.iter().map(|i| i * (num_steps / intervals)).collect()
            }
            "quad" if num_steps == 2 * intervals * intervals => {
                let of = |i: &usize| num_steps - 2 * i * i;
                t_idx.iter().rev().map(of).collect()
            }
            _ => {
                return Err(SettingsError::Steps {
                    steps: num_steps,
                    stored: t_dim,
                    spacing: spacing.to_owned(),
                });
            }
        };
        if !steps.is_sorted_by(|a, b| a < b) {
            return Err(refused());
        }
        let end = data.epsilon.unwrap_or(0.0);
        let time = |step: &usize| 1.0 - (1.0 - end) * *step as f64 / num_steps as f64;
        let mut times: Vec<f64> = steps[steps.len() - wanted..].iter().map(time).collect();
        let kept = times.split_off(model.num_pad);
        Ok(Some(Trajectory {
            padding: times,
            times: kept,
        }))
    }

    /// Keys of `data` and `model` that say nothing about the network.
    pub fn ignored_keys(&self) -> Vec<String> {
        let data = self.data.rest.keys().map(|key| format!("data.{key}"));
        let model = self.model.rest.keys().map(|key| format!("model.{key}"));
        data.chain(model).collect()
    }
}

impl Model {
    fn check(&self) -> Result<(), SettingsError> {
        let text = |given: &Option<String>| given.as_deref().map(str::to_lowercase);
        let given = [
            ("resblock_type", text(&self.resblock_type), "biggan"),
            ("logsnr_type", text(&self.logsnr_type), "inv_cos"),
            ("nonlinearity", text(&self.nonlinearity), "swish"),
        ];
        let flags = [
            ("with_nin", self.with_nin, "false"),
            ("conditional", self.conditional, "true"),
            ("fourier_feature", self.fourier_feature, "false"),
        ];
        let flags = flags.map(|(key, found, expected)| {
            let found = found.map(|found| found.to_string());
            (key, found, expected)
        });
        for (key, found, expected) in given.into_iter().chain(flags) {
            if let Some(found) = found.filter(|found| found != expected) {
                return Err(SettingsError::Unsupported {
                    key,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}
