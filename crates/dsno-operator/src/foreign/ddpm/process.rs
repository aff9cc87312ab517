//! How a noise level becomes the input of a network, and its answer the clean image.

use burn::tensor::Tensor;
use dsno_ode::{Conditioned, Conditioning, Denoiser, NoiseLevel, NoiseSchedule, Prediction};
use serde::{Deserialize, Serialize};

use super::check::check_above_zero;
use super::error::DdpmArchitectureError;

/// What a network was trained to be told of the noise, and what its answer means.
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
pub enum Process {
    /// The index of the level in a table, with a fraction between entries and the nearest entry
    /// beyond its ends; variance-preserving states.
    Table {
        /// What the answer stands for.
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

impl Process {
    pub(crate) fn check(&self) -> Result<(), DdpmArchitectureError> {
        match *self {
            Self::Table { ref schedule, .. } => match schedule {
                NoiseSchedule::Discrete(_) => Ok(()),
                _ => Err(DdpmArchitectureError::NoTable),
            },
            Self::Karras {
                sigma_data,
                sigma_min,
            } => {
                check_above_zero("sigma_data", sigma_data)?;
                if sigma_min >= 0.0 && sigma_min.is_finite() {
                    return Ok(());
                }
                Err(DdpmArchitectureError::Range {
                    key: "sigma_min",
                    found: sigma_min,
                    expected: "a finite number of at least 0",
                })
            }
        }
    }

    /// The clean image in `z_t`, by a network that answers `(input, time)`.
    pub(super) fn denoise(
        &self,
        z_t: Tensor<4>,
        at: NoiseLevel,
        network: impl Fn(Tensor<4>, f64) -> Tensor<4>,
    ) -> Tensor<4> {
        match *self {
            Self::Table {
                prediction,
                rescale_timesteps,
                ref schedule,
            } => {
                let NoiseSchedule::Discrete(table) = schedule else {
                    unreachable!("invariant: checked when the network was built");
                };
                let scale = if rescale_timesteps {
                    1000.0 / table.entries() as f64
                } else {
                    1.0
                };
                let told = Conditioning::index(table.clone());
                let network = |z, index| network(z, index * scale);
                Conditioned::new(told, prediction, network).denoise(z_t, at)
            }
            Self::Karras {
                sigma_data: d,
                sigma_min,
            } => {
                let network = |x: Tensor<4>, sigma: f64| {
                    let above = sigma - sigma_min;
                    let root = (sigma * sigma + d * d).sqrt();
                    // Keeps the logarithm finite, as in the published code.
                    let time = 250.0 * (sigma + 1e-44).ln();
                    let output = network(x.clone() / root, time);
                    x * (d * d / (above * above + d * d)) + output * (d * above / root)
                };
                Conditioned::new(Conditioning::sigma(), Prediction::X, network).denoise(z_t, at)
            }
        }
    }
}
