//! What a model folder says of a model, apart from its weights.

use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::Weights;
use dsno_ode::{EdmSchedule, NoiseSchedule};
use dsno_operator::{ConfigError, NetworkConfig, OperatorConfig, TemporalConvConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::folder::{read_card, write};
use crate::{ModelError, Teacher};

/// A teacher without its weights.
///
/// As a table, it holds `architecture` with the keys of its family; a network of ours says `prediction`
/// and `schedule` too. Where the architecture contains a table of noise levels, the table is the
/// schedule; EDM's and consistency models take a `schedule`, and have EDM's up to `σ = 80` without one.
///
/// # Examples
///
/// ```
/// use dsno_model::TeacherDescription;
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
/// let teacher = TeacherDescription::from_table("unet", table)?;
/// assert_eq!(teacher.network.image_shape(), [1, 8, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherDescription {
    /// The network.
    pub network: NetworkConfig,
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
    #[error(transparent)]
    Config(#[from] ConfigError),
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

impl TeacherDescription {
    /// Reads the description of a teacher of the family with this name.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] with the key that is wrong, or why the network is no teacher's.
    pub fn from_table(family: &str, mut table: Table) -> Result<Self, DescriptionError> {
        let schedule = take(&mut table, "schedule")?;
        Self::new(NetworkConfig::read(family, table)?, schedule)
    }

    /// Describes a teacher, with the network's own schedule unless one is given.
    ///
    /// # Errors
    ///
    /// * [`DescriptionError::Config`] if the network is no teacher's;
    /// * [`DescriptionError::Keys`] if a network of ours has no schedule;
    /// * [`DescriptionError::OtherSchedule`] if the network has a table and `schedule` is another.
    pub fn new(
        network: NetworkConfig,
        schedule: Option<NoiseSchedule>,
    ) -> Result<Self, DescriptionError> {
        network.check_teacher()?;
        let schedule = match (network.schedule(), schedule) {
            (Some(own), None) => own.clone(),
            (Some(own), Some(given)) if *own == given => given,
            (Some(_), Some(_)) => return Err(DescriptionError::OtherSchedule),
            (None, Some(given)) => given,
            (None, None) if network.as_unet().is_some() => {
                let reason = "missing field `schedule`".to_owned();
                return Err(DescriptionError::Keys { reason });
            }
            (None, None) => EdmSchedule::default().into(),
        };
        Ok(Self { network, schedule })
    }

    /// The teacher with fresh weights, a function of `seed` alone.
    pub fn init(&self, seed: u64, device: &Device) -> Teacher {
        Teacher {
            network: self.network.init(seed, device),
            config: self.network.clone(),
            schedule: self.schedule.clone(),
            run: String::new(),
        }
    }

    /// Reads what a teacher's folder says, without its weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Read`] or [`ModelError::Card`].
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        Ok(read_card(folder, "teacher", Self::from_table)?.description)
    }

    /// Writes the folder of a teacher that was not trained here, making it if needed.
    ///
    /// The weights are not compared with the architecture: that is [`NetworkConfig::find`]'s.
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
        let mut table = self.network.table();
        let architecture = table.remove("architecture");
        table.insert("schedule".to_owned(), value(&self.schedule));
        table.extend(architecture.map(|keys| ("architecture".to_owned(), keys)));
        let family = self.network.family();
        write(folder, weights, "teacher", family, run, table)
    }
}

/// A student without its weights.
///
/// As a table, it holds `times`, `schedule` and `architecture` with the keys of its family. The temporal
/// convolutions are `architecture.temporal` of a network of ours, `temporal` of others.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentDescription {
    /// The times whose states it predicts, falling.
    pub times: Vec<f64>,
    /// Its teacher's schedule.
    pub schedule: NoiseSchedule,
    /// The network, usually with temporal convolutions.
    pub operator: OperatorConfig,
}

impl StudentDescription {
    /// Reads the description of a student of the family with this name.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] with what is wrong.
    pub fn from_table(family: &str, mut table: Table) -> Result<Self, DescriptionError> {
        let times = take_needed(&mut table, "times")?;
        let schedule = take_needed(&mut table, "schedule")?;
        if table.contains_key("prediction") {
            let reason = "unknown field `prediction`: students predict states".to_owned();
            return Err(DescriptionError::Keys { reason });
        }
        let architecture = table.get_mut("architecture").and_then(Value::as_table_mut);
        let inside = architecture.map(|keys| take(keys, "temporal"));
        let temporal: Option<TemporalConvConfig> = match inside.transpose()?.flatten() {
            Some(inside) => Some(inside),
            None => take(&mut table, "temporal")?,
        };
        let network = NetworkConfig::read(family, table)?;
        let operator = OperatorConfig { network, temporal };
        let description = Self {
            times,
            schedule,
            operator,
        };
        description.validate()?;
        Ok(description)
    }

    /// Reads what a student's folder says, without its weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Read`] or [`ModelError::Card`].
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        Ok(read_card(folder, "student", Self::from_table)?.description)
    }

    /// Checks that the network can be built and has states at these times.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Config`], [`DescriptionError::Times`] or [`DescriptionError::Modes`].
    pub fn validate(&self) -> Result<(), DescriptionError> {
        self.operator.validate()?;
        let times = &self.times;
        let inside = times.iter().all(|t| (0.0..1.0).contains(t));
        if times.is_empty() || !inside || !times.is_sorted_by(|a, b| a > b) {
            let found = times.clone();
            return Err(DescriptionError::Times { found });
        }
        check_modes(self.operator.temporal, times.len())
    }

    /// Writes the folder of a student that was not trained here, making it if needed.
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
        let OperatorConfig { network, temporal } = &self.operator;
        let mut table = Table::from_iter([
            ("times".to_owned(), value(&self.times)),
            ("schedule".to_owned(), value(&self.schedule)),
        ]);
        table.extend(network.table());
        table.remove("prediction");
        if let Some(temporal) = temporal {
            let own = network.as_unet().is_some();
            let architecture = table.get_mut("architecture").and_then(Value::as_table_mut);
            let place = match architecture {
                Some(architecture) if own => architecture,
                _ => &mut table,
            };
            place.insert("temporal".to_owned(), value(temporal));
        }
        write(folder, weights, "student", network.family(), run, table)
    }
}

/// Refuses more modes than so many times have; a single time has only the constant one.
pub(crate) fn check_modes(
    temporal: Option<TemporalConvConfig>,
    times: usize,
) -> Result<(), DescriptionError> {
    match temporal {
        Some(TemporalConvConfig { n_modes }) if times > 1 && n_modes > times / 2 + 1 => {
            Err(DescriptionError::Modes { n_modes, times })
        }
        _ => Ok(()),
    }
}

fn value(of: &impl Serialize) -> Value {
    Value::try_from(of).expect("invariant: descriptions are tables of plain values")
}

fn take<T: DeserializeOwned>(table: &mut Table, key: &str) -> Result<Option<T>, DescriptionError> {
    let found = table.remove(key).map(Value::try_into).transpose();
    found.map_err(|error: toml::de::Error| {
        let reason = error.to_string().trim().replace('\n', " ");
        let reason = format!("{reason} in `{key}`");
        DescriptionError::Keys { reason }
    })
}

fn take_needed<T: DeserializeOwned>(table: &mut Table, key: &str) -> Result<T, DescriptionError> {
    take(table, key)?.ok_or_else(|| {
        let reason = format!("missing field `{key}`");
        DescriptionError::Keys { reason }
    })
}
