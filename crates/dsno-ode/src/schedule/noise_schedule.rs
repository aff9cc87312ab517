use serde::{Deserialize, Serialize};

use super::{CosineSchedule, LinearBetaSchedule, Schedule, ScheduleError};

/// A schedule as it is written in experiment files and next to weights.
///
/// Every key is required and an unknown one is an error. The numbers are checked when a file is
/// read; a value built in code is checked by [`validate`](Self::validate).
///
/// ```toml
/// kind = "cosine"            # or: kind = "linear-beta"
/// log_snr_min = -20.0        #     beta_min = 0.1
/// log_snr_max = 20.0         #     beta_max = 20.0
/// ```
///
/// # Examples
///
/// ```
/// use dsno_ode::{NoiseSchedule, Schedule};
///
/// let file = "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = 20.0";
/// let schedule: NoiseSchedule = toml::from_str(file)?;
/// assert_eq!(schedule, NoiseSchedule::Cosine { log_snr_min: -20.0, log_snr_max: 20.0 });
/// assert!((schedule.log_snr(0.0) - 20.0).abs() < 1e-12);
///
/// let reversed = "kind = 'cosine'\nlog_snr_min = 20.0\nlog_snr_max = -20.0";
/// assert!(toml::from_str::<NoiseSchedule>(reversed).is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub enum NoiseSchedule {
    /// [`CosineSchedule`] on a range of log-SNR.
    Cosine {
        /// `λ` at `t = 1`, in nats.
        log_snr_min: f64,
        /// `λ` at `t = 0`, in nats.
        log_snr_max: f64,
    },
    /// [`LinearBetaSchedule`] with its two rates.
    LinearBeta {
        /// `β` at `t = 0`, per unit of time.
        beta_min: f64,
        /// `β` at `t = 1`, per unit of time.
        beta_max: f64,
    },
}

impl NoiseSchedule {
    /// Checks that the numbers describe a schedule.
    ///
    /// # Errors
    ///
    /// * [`ScheduleError::LogSnrRange`] for an empty, reversed or non-finite cosine range.
    /// * [`ScheduleError::BetaRange`] for rates that are not finite with `0 < beta_min <= beta_max`.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        match *self {
            Self::Cosine {
                log_snr_min,
                log_snr_max,
            } => CosineSchedule::new(log_snr_min, log_snr_max).map(drop),
            Self::LinearBeta { beta_min, beta_max } => {
                LinearBetaSchedule::new(beta_min, beta_max).map(drop)
            }
        }
    }
}

impl Schedule for NoiseSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        match *self {
            Self::Cosine {
                log_snr_min,
                log_snr_max,
            } => CosineSchedule::from_range(log_snr_min, log_snr_max).log_snr(t),
            Self::LinearBeta { beta_min, beta_max } => {
                LinearBetaSchedule::from_range(beta_min, beta_max).log_snr(t)
            }
        }
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        match *self {
            Self::Cosine {
                log_snr_min,
                log_snr_max,
            } => CosineSchedule::from_range(log_snr_min, log_snr_max).log_snr_rate(t),
            Self::LinearBeta { beta_min, beta_max } => {
                LinearBetaSchedule::from_range(beta_min, beta_max).log_snr_rate(t)
            }
        }
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        match *self {
            Self::Cosine {
                log_snr_min,
                log_snr_max,
            } => CosineSchedule::from_range(log_snr_min, log_snr_max).time_at(log_snr),
            Self::LinearBeta { beta_min, beta_max } => {
                LinearBetaSchedule::from_range(beta_min, beta_max).time_at(log_snr)
            }
        }
    }
}

impl From<CosineSchedule> for NoiseSchedule {
    fn from(schedule: CosineSchedule) -> Self {
        Self::Cosine {
            log_snr_min: schedule.log_snr_min(),
            log_snr_max: schedule.log_snr_max(),
        }
    }
}

impl From<LinearBetaSchedule> for NoiseSchedule {
    fn from(schedule: LinearBetaSchedule) -> Self {
        Self::LinearBeta {
            beta_min: schedule.beta_min(),
            beta_max: schedule.beta_max(),
        }
    }
}

/// The same fields as they stand in a file, before their values were checked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Unchecked {
    Cosine { log_snr_min: f64, log_snr_max: f64 },
    LinearBeta { beta_min: f64, beta_max: f64 },
}

impl TryFrom<Unchecked> for NoiseSchedule {
    type Error = ScheduleError;

    fn try_from(file: Unchecked) -> Result<Self, ScheduleError> {
        let schedule = match file {
            Unchecked::Cosine {
                log_snr_min,
                log_snr_max,
            } => Self::Cosine {
                log_snr_min,
                log_snr_max,
            },
            Unchecked::LinearBeta { beta_min, beta_max } => Self::LinearBeta { beta_min, beta_max },
        };
        schedule.validate().map(|()| schedule)
    }
}

impl From<NoiseSchedule> for Unchecked {
    fn from(schedule: NoiseSchedule) -> Self {
        match schedule {
            NoiseSchedule::Cosine {
                log_snr_min,
                log_snr_max,
            } => Self::Cosine {
                log_snr_min,
                log_snr_max,
            },
            NoiseSchedule::LinearBeta { beta_min, beta_max } => {
                Self::LinearBeta { beta_min, beta_max }
            }
        }
    }
}
