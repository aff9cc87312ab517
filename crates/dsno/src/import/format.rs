//! What files of other programs are called on the command line.

use std::fmt;
use std::str::FromStr;

use dsno_operator::Family;
use dsno_operator::family::{diffusers, edm, guided_diffusion};
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
            Self::Safetensors | Self::DsnoPytorch | Self::FlaxPd => Family::OWN,
            Self::Diffusers => diffusers::FAMILY,
            Self::GuidedDiffusion => guided_diffusion::FAMILY,
            Self::Edm => edm::FAMILY,
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
