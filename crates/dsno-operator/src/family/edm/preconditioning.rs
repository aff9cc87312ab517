//! What surrounds the U-Net, so that it sees and answers numbers of order one.

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

use crate::check::{check_above_zero, check_range};
use crate::config_error::ConfigError;
use crate::process::Coefficients;

/// Far beyond any schedule.
const MOST_LEVELS: f64 = 1e6;

/// The factors between a denoiser `D` and the network `F` inside it (table 1 of arXiv:2206.00364).
///
/// ```text
/// D(x; σ) = c_skip x + c_out F(c_in x; c_noise)      x = image + σ ε, the clean image expected
///
///               c_skip         c_out             c_in           c_noise
/// EDMPrecond    d²/(σ² + d²)   σ d/√(σ² + d²)    1/√(σ² + d²)   ln(σ)/4          d = sigma_data
/// VPPrecond     1              −σ                1/√(σ² + 1)    (M − 1) t(σ)
/// VEPrecond     1              σ                 1              ln(σ/2)
/// iDDPMPrecond  1              −σ                1/√(σ² + 1)    M − 1 − argmin |u_j − σ|
/// ```
///
/// `t(σ)` inverts `σ² = exp(½ beta_d t² + beta_min t) − 1`. The levels `u_j` fall from `j = 0` to
/// `u_M = 0`; they are stored with the weights, and what is stored is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "class_name", deny_unknown_fields)]
pub enum Preconditioning {
    /// The paper's own.
    #[serde(rename = "EDMPrecond")]
    Edm {
        /// Standard deviation `d` that the training images are expected to have.
        sigma_data: f64,
    },
    /// Of the variance-preserving process of Song et al.; the network predicts the noise.
    #[serde(rename = "VPPrecond")]
    VariancePreserving {
        /// Growth of the noise rate over the process.
        beta_d: f64,
        /// Noise rate at its start.
        beta_min: f64,
        /// Number of steps to which the network's times are scaled.
        #[serde(rename = "M")]
        steps: usize,
    },
    /// Of the variance-exploding process of Song et al.; the network predicts minus the noise.
    #[serde(rename = "VEPrecond")]
    VarianceExploding {},
    /// Of improved DDPM (Nichol & Dhariwal 2021, arXiv:2102.09672): discrete levels, and learned
    /// variances, which are dropped.
    #[serde(rename = "iDDPMPrecond")]
    ImprovedDdpm {
        /// Least ratio of successive `ᾱ`.
        #[serde(rename = "C_1")]
        c_1: f64,
        /// Offset of the cosine schedule.
        #[serde(rename = "C_2")]
        c_2: f64,
        /// Number of levels.
        #[serde(rename = "M")]
        steps: usize,
    },
}

impl Preconditioning {
    /// The factors at noise `σ` in pixel units; `levels` are the stored ones of improved DDPM.
    pub(crate) fn coefficients(&self, sigma: f64, levels: &[f32]) -> Coefficients {
        let variance = sigma * sigma;
        let unit = 1.0 / (variance + 1.0).sqrt();
        let (skip, output, input, timestep) = match *self {
            Self::Edm { sigma_data: d } => {
                let total = variance + d * d;
                let output = sigma * d / total.sqrt();
                let input = 1.0 / total.sqrt();
                (d * d / total, output, input, 0.25 * sigma.ln())
            }
            Self::VariancePreserving {
                beta_d,
                beta_min,
                steps,
            } => {
                let root = (beta_min * beta_min + 2.0 * beta_d * variance.ln_1p()).sqrt();
                let timestep = (steps as f64 - 1.0) * (root - beta_min) / beta_d;
                (1.0, -sigma, unit, timestep)
            }
            Self::VarianceExploding {} => (1.0, sigma, 1.0, (0.5 * sigma).ln()),
            Self::ImprovedDdpm { steps, .. } => {
                let timestep = steps as f64 - 1.0 - nearest(sigma, levels) as f64;
                (1.0, -sigma, unit, timestep)
            }
        };
        Coefficients {
            skip,
            output,
            input,
            timestep,
        }
    }

    /// The noise levels `u_0 … u_M` of improved DDPM; none for the others.
    pub(crate) fn levels(&self) -> Option<Vec<f32>> {
        let Self::ImprovedDdpm { c_1, c_2, steps } = *self else {
            return None;
        };
        let signal = |j: usize| {
            let angle = FRAC_PI_2 * j as f64 / steps as f64 / (c_2 + 1.0);
            angle.sin().powi(2)
        };
        let mut levels = vec![0.0_f32; steps + 1];
        let mut level = 0.0_f64;
        for j in (1..=steps).rev() {
            let ratio = (signal(j - 1) / signal(j)).max(c_1);
            level = ((level * level + 1.0) / ratio - 1.0).sqrt();
            levels[j - 1] = level as f32;
        }
        Some(levels)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let steps = |found: usize| {
            let ok = found > 1 && found as f64 <= MOST_LEVELS;
            check_range(ok, "M", found as f64, "more than 1 and at most 1e6")
        };
        match *self {
            Self::Edm { sigma_data } => check_above_zero("sigma_data", sigma_data),
            Self::VariancePreserving {
                beta_d,
                beta_min,
                steps: m,
            } => {
                check_above_zero("beta_d", beta_d)?;
                check_above_zero("beta_min", beta_min)?;
                steps(m)
            }
            Self::VarianceExploding {} => Ok(()),
            Self::ImprovedDdpm { c_1, c_2, steps: m } => {
                check_above_zero("C_1", c_1)?;
                check_above_zero("C_2", c_2)?;
                steps(m)
            }
        }
    }
}

/// Index of the first of the levels that are closest to `sigma`.
fn nearest(sigma: f64, levels: &[f32]) -> usize {
    let distance = |level: f32| (f64::from(level) - sigma).abs();
    let mut best = 0;
    for (j, level) in levels.iter().enumerate() {
        if distance(*level) < distance(levels[best]) {
            best = j;
        }
    }
    best
}
