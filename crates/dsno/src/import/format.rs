//! What files of other programs are called on the command line.

use std::fmt;
use std::str::FromStr;

use dsno_model::Family;
use dsno_operator::exchange::{authors, distillation};
use serde::{Deserialize, Serialize};

/// A program's way of keeping weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// Our own network in safetensors, under our names or the DSNO authors'.
    Safetensors,
    /// The DSNO authors' checkpoints.
    DsnoPytorch,
    /// Progressive distillation's Flax checkpoints.
    FlaxPd,
    /// `UNet2DModel` of Hugging Face diffusers.
    Diffusers,
    /// OpenAI's improved-diffusion, guided-diffusion and consistency models.
    GuidedDiffusion,
    /// EDM's networks as plain state dicts.
    Edm,
}

impl Format {
    /// All of them.
    pub(crate) const ALL: &[Self] = &[
        Self::Safetensors,
        Self::DsnoPytorch,
        Self::FlaxPd,
        Self::Diffusers,
        Self::GuidedDiffusion,
        Self::Edm,
    ];

    /// Its name on the command line and in experiments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::DsnoPytorch => "dsno-pytorch",
            Self::FlaxPd => "flax-pd",
            Self::Diffusers => "diffusers",
            Self::GuidedDiffusion => "guided-diffusion",
            Self::Edm => "edm",
        }
    }

    /// The networks that such files hold.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Safetensors | Self::DsnoPytorch | Self::FlaxPd => Family::Unet,
            Self::Diffusers => Family::Diffusers,
            Self::GuidedDiffusion => Family::GuidedDiffusion,
            Self::Edm => Family::Edm,
        }
    }

    /// Whether files may hold the weights of the last step beside their average.
    pub(crate) fn has_sets(self) -> bool {
        matches!(self, Self::DsnoPytorch | Self::FlaxPd | Self::Safetensors)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|format| format.name() == name);
        named.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("unknown format `{name}`, expected {}", names.join(", "))
        })
    }
}

/// Which weights of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WeightSet {
    /// The moving average.
    #[default]
    Ema,
    /// Those of the last step.
    Model,
}

impl WeightSet {
    /// Both of them.
    pub(crate) const ALL: &[Self] = &[Self::Ema, Self::Model];

    /// Its name on the command line and in experiments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ema => "ema",
            Self::Model => "model",
        }
    }
}

impl From<WeightSet> for authors::WeightSet {
    fn from(set: WeightSet) -> Self {
        match set {
            WeightSet::Ema => Self::Average,
            WeightSet::Model => Self::Latest,
        }
    }
}

impl From<WeightSet> for distillation::ParameterSet {
    fn from(set: WeightSet) -> Self {
        match set {
            WeightSet::Ema => Self::Average,
            WeightSet::Model => Self::Latest,
        }
    }
}
