//! The families of networks that can be teachers, before their weights.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use dsno_checkpoint::Checkpoint;
use dsno_checkpoint::{StateDict, WeightError};
use dsno_ode::Prediction;
use dsno_operator::foreign::ddpm::{DdpmArchitectureError, Process};
use dsno_operator::foreign::diffusers::{ClassEmbedType, DiffusersArchitecture};
use dsno_operator::foreign::edm::{EdmArchitecture, EdmArchitectureError};
use dsno_operator::foreign::guided::GuidedArchitecture;
use dsno_operator::{Output, UNetConfig, UNetConfigError};
use serde::{Deserialize, Serialize};

use crate::{ModelError, TeacherNetwork};

/// The kinds of networks that a teacher may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Family {
    /// This project's own network, which students share.
    Unet,
    /// `UNet2DModel` of Hugging Face diffusers.
    Diffusers,
    /// OpenAI's improved-diffusion, guided-diffusion and consistency models.
    GuidedDiffusion,
    /// EDM: DDPM++, NCSN++ and ADM, preconditioned.
    Edm,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Unet,
        Self::Diffusers,
        Self::GuidedDiffusion,
        Self::Edm,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unet => "unet",
            Self::Diffusers => "diffusers",
            Self::GuidedDiffusion => "guided-diffusion",
            Self::Edm => "edm",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Family {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|family| family.name() == name);
        named.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join("`, `");
            format!("family is `{name}`, expected one of `{names}`")
        })
    }
}

/// The architecture of a teacher of any family.
///
/// Only our own network needs to be told what its answer means; the others say it themselves.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per model, next to millions of weights"
)]
#[non_exhaustive]
pub enum TeacherArchitecture {
    /// This project's own network.
    Unet {
        /// The network, without temporal convolutions.
        architecture: UNetConfig,
        /// What its answer means.
        prediction: Prediction,
    },
    /// Hugging Face diffusers.
    Diffusers(DiffusersArchitecture),
    /// OpenAI's networks.
    Guided(GuidedArchitecture),
    /// EDM.
    Edm(EdmArchitecture),
}

/// Why an architecture is no teacher's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TeacherArchitectureError {
    /// Our own network cannot be built.
    #[error(transparent)]
    Unet(#[from] UNetConfigError),
    /// A network of diffusers or OpenAI cannot be built.
    #[error(transparent)]
    Ddpm(#[from] DdpmArchitectureError),
    /// An EDM network cannot be built.
    #[error(transparent)]
    Edm(#[from] EdmArchitectureError),
    /// A teacher answers for one time.
    #[error(
        "the architecture of a teacher has no `temporal`; a student is described by `times` instead of `prediction`"
    )]
    Temporal,
    /// Image and noise side by side make an image.
    #[error("a network with output `state-and-noise` predicts `x`, not {found:?}")]
    JointPrediction {
        /// The prediction found.
        found: Prediction,
    },
    /// The network wants vectors, and a teacher is given classes.
    #[error("a network with class_embed_type `identity` takes vectors, not classes")]
    Vectors,
    /// The network wants labels and does not say how many there are.
    #[error(
        "a network with class_embed_type `timestep` needs `num_class_embeds`, the number of classes"
    )]
    UnknownClasses,
}

impl TeacherArchitecture {
    /// Its family.
    pub const fn family(&self) -> Family {
        match self {
            Self::Unet { .. } => Family::Unet,
            Self::Diffusers(_) => Family::Diffusers,
            Self::Guided(_) => Family::GuidedDiffusion,
            Self::Edm(_) => Family::Edm,
        }
    }

    /// Channels, height and width of its images.
    pub const fn image_shape(&self) -> [usize; 3] {
        let (channels, size) = match self {
            Self::Unet { architecture, .. } => {
                (architecture.image_channels, architecture.image_size)
            }
            Self::Diffusers(a) => (a.in_channels, a.sample_size),
            Self::Guided(a) => (a.image_channels, a.image_size),
            Self::Edm(a) => (a.img_channels, a.img_resolution),
        };
        [channels, size, size]
    }

    /// Number of classes; 0 for an unconditional network.
    pub fn classes(&self) -> usize {
        match self {
            Self::Unet { architecture, .. } => architecture.classes,
            Self::Diffusers(a) => a.num_class_embeds.unwrap_or(0),
            Self::Guided(a) => a.num_classes,
            Self::Edm(a) => a.label_dim,
        }
    }

    /// What the network is told of the noise, where that is part of a DDPM's architecture.
    pub(crate) const fn process(&self) -> Option<&Process> {
        match self {
            Self::Diffusers(a) => Some(&a.process),
            Self::Guided(a) => Some(&a.process),
            Self::Unet { .. } | Self::Edm(_) => None,
        }
    }

    /// Checks that the network can be built and is a teacher's.
    ///
    /// # Errors
    ///
    /// [`TeacherArchitectureError`] says what cannot work.
    pub fn validate(&self) -> Result<(), TeacherArchitectureError> {
        match self {
            Self::Unet {
                architecture,
                prediction,
            } => {
                architecture.validate()?;
                if architecture.temporal.is_some() {
                    return Err(TeacherArchitectureError::Temporal);
                }
                if architecture.output == Output::StateAndNoise && *prediction != Prediction::X {
                    let found = *prediction;
                    return Err(TeacherArchitectureError::JointPrediction { found });
                }
            }
            Self::Diffusers(architecture) => {
                architecture.validate()?;
                match (architecture.class_embed_type, architecture.num_class_embeds) {
                    (Some(ClassEmbedType::Identity), _) => {
                        return Err(TeacherArchitectureError::Vectors);
                    }
                    (Some(ClassEmbedType::Timestep), None) => {
                        return Err(TeacherArchitectureError::UnknownClasses);
                    }
                    _ => {}
                }
            }
            Self::Guided(architecture) => architecture.validate()?,
            Self::Edm(architecture) => architecture.validate()?,
        }
        Ok(())
    }

    /// Counts the trainable numbers without building the network.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn parameter_count(&self) -> Result<usize, TeacherArchitectureError> {
        Ok(match self {
            Self::Unet { architecture, .. } => architecture.parameter_count()?,
            Self::Diffusers(architecture) => architecture.parameter_count()?,
            Self::Guided(architecture) => architecture.parameter_count()?,
            Self::Edm(architecture) => architecture.parameter_count()?,
        })
    }

    /// Builds the network with fresh weights, a function of `seed` alone.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn init(
        &self,
        seed: u64,
        device: &Device,
    ) -> Result<TeacherNetwork, TeacherArchitectureError> {
        self.validate()?;
        Ok(match self.clone() {
            Self::Unet {
                architecture,
                prediction,
            } => TeacherNetwork::Unet {
                network: architecture.init(seed, device)?,
                architecture,
                prediction,
            },
            Self::Diffusers(architecture) => TeacherNetwork::Diffusers {
                network: architecture.init(seed, device)?,
                architecture,
            },
            Self::Guided(architecture) => TeacherNetwork::Guided {
                network: architecture.init(seed, device)?,
                architecture,
            },
            Self::Edm(architecture) => TeacherNetwork::Edm {
                network: architecture.init(seed, device)?,
            },
        })
    }

    /// Builds the network with the weights of a file, which has nothing else.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Teacher`] as [`Self::validate`];
    /// * [`ModelError::Weights`], [`ModelError::Ddpm`] or [`ModelError::Edm`] if the file does not hold
    ///   this network, with every difference, or cannot be read.
    pub fn load(&self, file: &Checkpoint, device: &Device) -> Result<TeacherNetwork, ModelError> {
        self.validate()?;
        Ok(match self.clone() {
            Self::Unet {
                architecture,
                prediction,
            } => {
                let network = architecture
                    .init(0, device)
                    .map_err(TeacherArchitectureError::from)?;
                TeacherNetwork::Unet {
                    network: network.load_state_dict(all_of(file)?)?,
                    architecture,
                    prediction,
                }
            }
            Self::Diffusers(architecture) => TeacherNetwork::Diffusers {
                network: architecture.load(file, device).map_err(Box::new)?,
                architecture,
            },
            Self::Guided(architecture) => TeacherNetwork::Guided {
                network: architecture.load(file, device).map_err(Box::new)?,
                architecture,
            },
            Self::Edm(architecture) => TeacherNetwork::Edm {
                network: architecture.load(file, device).map_err(Box::new)?,
            },
        })
    }
}

fn all_of(file: &Checkpoint) -> Result<StateDict, WeightError> {
    let read = |name: &str| Ok((name.to_owned(), file.read(name)?));
    file.names().map(read).collect()
}
