//! What a model folder says of a model, apart from its weights.

use std::path::Path;

use dsno_ode::{EdmSchedule, NoiseSchedule, Prediction};
use dsno_operator::foreign::ddpm::Process;
use dsno_operator::foreign::diffusers::DiffusersArchitecture;
use dsno_operator::foreign::edm::EdmArchitecture;
use dsno_operator::foreign::guided::GuidedArchitecture;
use dsno_operator::{UNetConfig, UNetConfigError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::folder::write;
use crate::teacher::Card;
use crate::{Family, ModelError, TeacherArchitecture, TeacherArchitectureError};
use dsno_checkpoint::Weights;

/// A teacher without its weights.
///
/// As a table, a network of ours says `prediction`, `schedule` and `architecture`; the others only
/// `architecture`, with the keys of their family. Where that contains a table of noise levels, the
/// table is the schedule; EDM's and consistency models take a `schedule` too, and have EDM's up to
/// `σ = 80` without one.
///
/// # Examples
///
/// ```
/// use dsno_model::{Family, TeacherDescription};
///
/// let table = toml::from_str(r#"
///     prediction = "v"
///     schedule = { kind = "cosine", log_snr_min = -20.0, log_snr_max = 20.0 }
///     [architecture]
///     image_size = 8
///     image_channels = 1
///     base_channels = 8
///     embedding_channels = 32
///     channel_multipliers = [1, 2]
///     res_blocks = 1
///     attention_resolutions = [4]
///     heads = { count = 1 }
///     attention_groups = 4
///     classes = 0
///     dropout = 0.0
///     output = "state"
/// "#)?;
/// let teacher = TeacherDescription::from_table(Family::Unet, table)?;
/// assert_eq!(teacher.architecture.image_shape(), [1, 8, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherDescription {
    /// The network.
    pub architecture: TeacherArchitecture,
    /// Noise levels over time.
    pub schedule: NoiseSchedule,
}

/// Why a table describes no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// A key is missing, unknown or of the wrong type.
    #[error("{reason}")]
    Keys {
        /// What is wrong, with the key.
        reason: String,
    },
    /// The network cannot be built, or is no teacher's.
    #[error("{0}")]
    Teacher(#[from] TeacherArchitectureError),
    /// The student's network cannot be built.
    #[error("{0}")]
    Student(#[from] UNetConfigError),
    /// A network with a table of noise levels has another schedule.
    #[error(
        "the schedule of a network with a table of noise levels is that table; leave `schedule` out"
    )]
    OtherSchedule,
    /// A student's times do not fall from noise to image.
    #[error("times are {found:?}, expected times below 1 that fall to 0 or above")]
    Times {
        /// The times found.
        found: Vec<f64>,
    },
    /// Too few times for the modes.
    #[error("{n_modes} temporal modes do not fit {times} times, which have {}", times / 2 + 1)]
    Modes {
        /// Modes of the network.
        n_modes: usize,
        /// Number of times.
        times: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    prediction: Prediction,
    schedule: NoiseSchedule,
    architecture: UNetConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign<A> {
    schedule: Option<NoiseSchedule>,
    architecture: A,
}

impl TeacherDescription {
    /// Reads the description of a teacher of one family.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] with the key that is wrong, or why the network is no teacher's.
    pub fn from_table(family: Family, table: Table) -> Result<Self, DescriptionError> {
        match family {
            Family::Unet => {
                let own: Own = keys(table)?;
                let architecture = TeacherArchitecture::Unet {
                    architecture: own.architecture,
                    prediction: own.prediction,
                };
                architecture.validate()?;
                Ok(Self {
                    architecture,
                    schedule: own.schedule,
                })
            }
            Family::Diffusers => {
                let found: Foreign<DiffusersArchitecture> = keys(table)?;
                let architecture = TeacherArchitecture::Diffusers(found.architecture);
                Self::new(architecture, found.schedule)
            }
            Family::GuidedDiffusion => {
                let found: Foreign<GuidedArchitecture> = keys(table)?;
                Self::new(
                    TeacherArchitecture::Guided(found.architecture),
                    found.schedule,
                )
            }
            Family::Edm => {
                let found: Foreign<EdmArchitecture> = keys(table)?;
                Self::new(TeacherArchitecture::Edm(found.architecture), found.schedule)
            }
        }
    }

    /// Describes a network of another family, with its own schedule unless one is given.
    ///
    /// # Errors
    ///
    /// * [`DescriptionError::Teacher`] if the network is no teacher's;
    /// * [`DescriptionError::OtherSchedule`] if the network has a table and `schedule` is another.
    pub fn new(
        architecture: TeacherArchitecture,
        schedule: Option<NoiseSchedule>,
    ) -> Result<Self, DescriptionError> {
        architecture.validate()?;
        let schedule = match (architecture.process(), schedule) {
            (Some(Process::Table { schedule, .. }), None) => schedule.clone(),
            (Some(Process::Table { schedule, .. }), Some(given)) if *schedule == given => given,
            (Some(Process::Table { .. }), Some(_)) => return Err(DescriptionError::OtherSchedule),
            (_, given) => given.unwrap_or_else(|| EdmSchedule::default().into()),
        };
        Ok(Self {
            architecture,
            schedule,
        })
    }

    /// Reads what a teacher's folder says, without its weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Read`] or [`ModelError::Card`].
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        Ok(Card::read(folder)?.description)
    }

    /// Writes the folder of a teacher that was not trained here, making it if needed.
    ///
    /// The weights are not compared with the architecture: that is
    /// [`TeacherArchitecture::load`]'s.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path, weights: Weights<'_>) -> Result<(), ModelError> {
        self.save_as(folder, weights, "")
    }

    pub(crate) fn save_as(
        &self,
        folder: &Path,
        weights: Weights<'_>,
        run: &str,
    ) -> Result<(), ModelError> {
        write(folder, weights, |sha256| Card::text(self, sha256, run))
    }
}

/// A student without its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentDescription {
    /// The times it answers for, falling.
    pub times: Vec<f64>,
    /// Its teacher's schedule.
    pub schedule: NoiseSchedule,
    /// The network, usually with temporal convolutions.
    pub architecture: UNetConfig,
}

impl StudentDescription {
    /// Reads the description of a student: `times`, `schedule` and `architecture`.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] with what is wrong.
    pub fn from_table(table: Table) -> Result<Self, DescriptionError> {
        let description: Self = keys(table)?;
        description.validate()?;
        Ok(description)
    }

    /// Reads what a student's folder says, without its weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Read`] or [`ModelError::Card`].
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        crate::student::read(folder)
    }

    /// Checks that the network can be built and answers for these times.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Student`], [`DescriptionError::Times`] or [`DescriptionError::Modes`].
    pub fn validate(&self) -> Result<(), DescriptionError> {
        self.architecture.validate()?;
        let times = &self.times;
        let inside = times.iter().all(|t| (0.0..1.0).contains(t));
        if times.is_empty() || !inside || !times.is_sorted_by(|a, b| a > b) {
            let found = times.clone();
            return Err(DescriptionError::Times { found });
        }
        let (modes, times) = (self.architecture.temporal, times.len());
        match modes.map(|temporal| temporal.n_modes) {
            Some(n_modes) if times > 1 && n_modes > times / 2 + 1 => {
                Err(DescriptionError::Modes { n_modes, times })
            }
            _ => Ok(()),
        }
    }

    /// Writes the folder of a student that was not trained here, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path, weights: Weights<'_>) -> Result<(), ModelError> {
        crate::student::save(self, folder, weights, "")
    }
}

fn keys<T: DeserializeOwned>(table: Table) -> Result<T, DescriptionError> {
    table.try_into().map_err(|error: toml::de::Error| {
        let reason = error.to_string().trim().replace('\n', " ");
        DescriptionError::Keys { reason }
    })
}
