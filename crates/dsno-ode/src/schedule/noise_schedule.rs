use serde::{Deserialize, Serialize};

use super::discrete::Origin;
use super::{
    CosineSchedule, DiscreteSchedule, EdmSchedule, LinearBetaSchedule, Schedule, ScheduleError,
};

/// A schedule as it is written in experiment files and next to weights.
///
/// It holds the schedule that a file describes, checked and with its table built once. Every key of
/// a kind is required and an unknown one is an error.
///
/// ```toml
/// kind = "cosine"                     # λ at t = 1 and at t = 0
/// log_snr_min = -20.0
/// log_snr_max = 20.0
///
/// kind = "linear-beta"                # β at t = 0 and at t = 1
/// beta_min = 0.1
/// beta_max = 20.0
///
/// kind = "discrete-linear"            # a table of β, as DDPM; first and last entry
/// entries = 1000
/// beta_start = 0.0001
/// beta_end = 0.02
///
/// kind = "discrete-scaled-linear"     # √β in equal steps, as latent diffusion
/// entries = 1000
/// beta_start = 0.00085
/// beta_end = 0.012
///
/// kind = "discrete-squared-cosine"
/// entries = 1000
///
/// kind = "discrete-betas"             # any table
/// betas = [0.0001, 0.0002, 0.0003]
///
/// kind = "edm"                        # σ at t = 1, in pixel units
/// sigma_max = 80.0
/// ```
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, NoiseSchedule, Schedule};
///
/// let file = "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = 20.0";
/// let schedule: NoiseSchedule = toml::from_str(file)?;
/// assert_eq!(schedule, CosineSchedule::default().into());
/// assert!((schedule.log_snr(0.0) - 20.0).abs() < 1e-12);
///
/// let reversed = "kind = 'cosine'\nlog_snr_min = 20.0\nlog_snr_max = -20.0";
/// assert!(toml::from_str::<NoiseSchedule>(reversed).is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
#[non_exhaustive]
pub enum NoiseSchedule {
    /// The cosine schedule on a range of log-SNR.
    Cosine(CosineSchedule),
    /// The continuous linear-β schedule.
    LinearBeta(LinearBetaSchedule),
    /// A table of noise levels.
    Discrete(DiscreteSchedule),
    /// The variance-exploding schedule of EDM.
    Edm(EdmSchedule),
}

/// Names the kinds, each with the schedule that it holds.
macro_rules! kinds {
    ($($kind:ident($schedule:ty)),+) => {
        impl NoiseSchedule {
            /// Returns the schedule that is held.
            pub(super) fn inner(&self) -> &dyn Schedule {
                match self {
                    $(Self::$kind(schedule) => schedule,)+
                }
            }
        }

        $(impl From<$schedule> for NoiseSchedule {
            fn from(schedule: $schedule) -> Self {
                Self::$kind(schedule)
            }
        })+
    };
}

kinds! {
    Cosine(CosineSchedule), LinearBeta(LinearBetaSchedule), Discrete(DiscreteSchedule), Edm(EdmSchedule)
}

/// Declares the keys of each kind as they stand in a file, before their values were checked, and the
/// schedule that they make.
macro_rules! descriptions {
    ($($kind:ident { $($key:ident: $type:ty),+ } => $schedule:expr;)+) => {
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
        enum Description {
            $($kind { $($key: $type),+ },)+
        }

        impl TryFrom<Description> for NoiseSchedule {
            type Error = ScheduleError;

            fn try_from(file: Description) -> Result<Self, ScheduleError> {
                Ok(match file {
                    $(Description::$kind { $($key),+ } => $schedule?.into(),)+
                })
            }
        }
    };
}

descriptions! {
    Cosine { log_snr_min: f64, log_snr_max: f64 } => CosineSchedule::new(log_snr_min, log_snr_max);
    LinearBeta { beta_min: f64, beta_max: f64 } => LinearBetaSchedule::new(beta_min, beta_max);
    DiscreteLinear { entries: usize, beta_start: f64, beta_end: f64 } =>
        DiscreteSchedule::linear(entries, beta_start, beta_end);
    DiscreteScaledLinear { entries: usize, beta_start: f64, beta_end: f64 } =>
        DiscreteSchedule::scaled_linear(entries, beta_start, beta_end);
    DiscreteSquaredCosine { entries: usize } => DiscreteSchedule::squared_cosine(entries);
    DiscreteBetas { betas: Vec<f64> } => DiscreteSchedule::from_betas(&betas);
    Edm { sigma_max: f64 } => EdmSchedule::new(sigma_max);
}

impl From<NoiseSchedule> for Description {
    fn from(schedule: NoiseSchedule) -> Self {
        match schedule {
            NoiseSchedule::Cosine(cosine) => Self::Cosine {
                log_snr_min: cosine.log_snr_min(),
                log_snr_max: cosine.log_snr_max(),
            },
            NoiseSchedule::LinearBeta(linear) => Self::LinearBeta {
                beta_min: linear.beta_min(),
                beta_max: linear.beta_max(),
            },
            NoiseSchedule::Discrete(table) => {
                let entries = table.entries();
                match *table.origin() {
                    Origin::Linear(beta_start, beta_end) => Self::DiscreteLinear {
                        entries,
                        beta_start,
                        beta_end,
                    },
                    Origin::ScaledLinear(beta_start, beta_end) => Self::DiscreteScaledLinear {
                        entries,
                        beta_start,
                        beta_end,
                    },
                    Origin::SquaredCosine => Self::DiscreteSquaredCosine { entries },
                    Origin::Betas(ref betas) => Self::DiscreteBetas {
                        betas: betas.to_vec(),
                    },
                }
            }
            NoiseSchedule::Edm(edm) => Self::Edm {
                sigma_max: edm.sigma_max(),
            },
        }
    }
}
