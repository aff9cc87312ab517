//! How a noise level becomes the input of a network, and its output the clean image.

use dsno_ode::{NoiseLevel, NoiseSchedule, Prediction};
use serde::{Deserialize, Serialize};

use crate::check::{check_above_zero, check_range};
use crate::config_error::ConfigError;
use crate::family::edm::Preconditioning;

/// The parametrisation of a network of the DDPM family: its timestep, and what it predicts.
///
/// ```toml
/// kind = "table"                  # variance-preserving states and an index into a table
/// prediction = "epsilon"
/// rescale_timesteps = false       # the index is scaled to 1000 entries
/// schedule = { kind = "discrete-linear", entries = 1000, beta_start = 0.0001, beta_end = 0.02 }
///
/// kind = "karras"                 # the preconditioning of EDM, as consistency models have it
/// sigma_data = 0.5
/// sigma_min = 0.002               # 0 for a diffusion model
/// ```
///
/// With `karras` the network `F` stands inside
///
/// ```text
/// x̂ = c_skip x + c_out F(c_in x; 250 ln σ)        x = image + σ ε
///
/// c_skip = d²/((σ − m)² + d²)      c_out = d (σ − m)/√(σ² + d²)      c_in = 1/√(σ² + d²)
/// ```
///
/// `d = sigma_data`, `m = sigma_min`: a consistency function is the identity at `σ = m` (Song et al.
/// 2023, arXiv:2303.01469, appendix C); with `m = 0` these are the factors of EDM (Karras et al.
/// 2022, arXiv:2206.00364, table 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DdpmProcess {
    /// The index of the level in a table, with a fraction between entries and the nearest entry
    /// beyond its ends; variance-preserving states.
    Table {
        /// What the network predicts.
        prediction: Prediction,
        /// Times are `1000 index/N` instead of the index.
        rescale_timesteps: bool,
        /// The table; one of the discrete kinds.
        schedule: NoiseSchedule,
    },
    /// The standard deviation of the noise, inside the preconditioning of EDM.
    Karras {
        /// Standard deviation that the training images are expected to have.
        sigma_data: f64,
        /// Noise at which a consistency function is the identity; 0 for a diffusion model.
        sigma_min: f64,
    },
}

impl DdpmProcess {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Table {
                schedule: NoiseSchedule::Discrete(_),
                ..
            } => Ok(()),
            Self::Table { .. } => Err(ConfigError::NoTable),
            Self::Karras {
                sigma_data,
                sigma_min,
            } => {
                check_above_zero("sigma_data", sigma_data)?;
                let ok = sigma_min >= 0.0 && sigma_min.is_finite();
                check_range(ok, "sigma_min", sigma_min, "a finite number of at least 0")
            }
        }
    }
}

/// What surrounds a network of any family.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Process {
    /// Conditioned on `λ`, with this prediction where it is a teacher's.
    LogSnr(Option<Prediction>),
    Ddpm(DdpmProcess),
    Edm(Preconditioning),
}

/// The four factors at one noise level.
///
/// ```text
/// x̂ = skip z_t + output F(input z_t; timestep)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coefficients {
    pub(crate) skip: f64,
    pub(crate) output: f64,
    pub(crate) input: f64,
    pub(crate) timestep: f64,
}

impl Process {
    /// The factors for a state at this level, in the units of its process; `levels` are the stored
    /// ones of improved DDPM.
    pub(crate) fn coefficients(&self, at: NoiseLevel, levels: &[f32]) -> Coefficients {
        let log_snr = at.log_snr();
        match self {
            Self::LogSnr(prediction) => {
                let prediction = prediction.unwrap_or(Prediction::X);
                preserving(at, prediction, log_snr)
            }
            Self::Ddpm(DdpmProcess::Table {
                prediction,
                rescale_timesteps,
                schedule,
            }) => {
                let NoiseSchedule::Discrete(table) = schedule else {
                    unreachable!("invariant: checked when the network was laid out");
                };
                let scale = if *rescale_timesteps {
                    1000.0 / table.entries() as f64
                } else {
                    1.0
                };
                preserving(at, *prediction, table.index_at(log_snr) * scale)
            }
            Self::Ddpm(DdpmProcess::Karras {
                sigma_data: d,
                sigma_min,
            }) => {
                let sigma = (-0.5 * log_snr).exp();
                let unit = NoiseLevel::variance_exploding(sigma).scale() / at.scale();
                let above = sigma - sigma_min;
                let root = (sigma * sigma + d * d).sqrt();
                Coefficients {
                    skip: unit * d * d / (above * above + d * d),
                    output: d * above / root,
                    input: unit / root,
                    // Keeps the logarithm finite, as in the published code.
                    timestep: 250.0 * (sigma + 1e-44).ln(),
                }
            }
            Self::Edm(preconditioning) => {
                let alpha = at.alpha();
                let by = preconditioning.coefficients(at.sigma() / alpha, levels);
                Coefficients {
                    skip: by.skip / alpha,
                    input: by.input / alpha,
                    ..by
                }
            }
        }
    }
}

/// Of a network that sees variance-preserving states.
fn preserving(at: NoiseLevel, prediction: Prediction, timestep: f64) -> Coefficients {
    let seen = NoiseLevel::from_log_snr(at.log_snr());
    let input = if at == seen {
        1.0
    } else {
        seen.scale() / at.scale()
    };
    let (alpha, sigma, square) = (seen.alpha(), seen.sigma(), seen.scale().powi(2));
    let (skip, output) = match prediction {
        Prediction::X => (0.0, 1.0),
        Prediction::Epsilon => (1.0 / alpha, -sigma / alpha),
        Prediction::V => (alpha / square, -sigma / square),
        Prediction::Score => (1.0 / alpha, sigma * sigma / alpha),
    };
    Coefficients {
        skip: skip * input,
        output,
        input,
        timestep,
    }
}
