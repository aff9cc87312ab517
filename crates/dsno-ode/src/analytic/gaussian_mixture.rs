use std::f64::consts::TAU;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{AnalyticError, check_dimensions, check_value};
use crate::{Denoiser, NoiseLevel};

/// The exact denoiser of images drawn from a mixture of isotropic normal distributions.
///
/// A noised mixture is again a mixture, so density, score and posterior mean have closed forms at
/// every noise level:
///
/// ```text
/// p(x)   = Σ_k w_k N(x; μ_k, s_k² I)
/// d_k    = z_t − α μ_k,    var_k = α² s_k² + σ²
/// r_k    = softmax_k( ln w_k − D/2 ln(2π var_k) − |d_k|²/(2 var_k) )
/// score  = ∇ ln p_t(z_t) = − Σ_k r_k d_k / var_k
/// x̂      = E[x | z_t]    = Σ_k r_k (μ_k + α s_k²/var_k d_k)
/// ```
///
/// No form divides by `α` or `σ`, so all stay accurate at both ends of a schedule. Weights are scaled
/// to sum to 1. An image is a vector of `D = C·H·W` values in C-order; `D = 2` is `[B, 2, 1, 1]`.
///
/// # Shapes
///
/// | value                    | shape          | range and unit               |
/// |--------------------------|----------------|------------------------------|
/// | `z_t`                    | `[B, C, H, W]` | noisy state, pixel units     |
/// | [`denoise`], [`score`]   | `[B, C, H, W]` | pixel units, per pixel unit  |
/// | [`log_density`]          | `[B]`          | nats                         |
///
/// [`denoise`]: Denoiser::denoise
/// [`score`]: Self::score
/// [`log_density`]: Self::log_density
///
/// # Panics
///
/// The methods that take a state panic if `C·H·W` is not [`dimensions`](Self::dimensions).
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::analytic::GaussianMixture;
/// use dsno_ode::{NoiseLevel, Denoiser};
///
/// // Two sharp peaks at ±1: between them the mean is 0, near one it is that peak.
/// let mixture = GaussianMixture::new(vec![0.5, 0.5], vec![vec![-1.0], vec![1.0]], vec![0.01, 0.01])?;
/// let at = NoiseLevel::from_log_snr(2.0);
/// let z_t = Tensor::<1>::from_floats([0.0, 0.9], &Device::flex()).reshape([2, 1, 1, 1]);
/// let x_hat = mixture.denoise(z_t, at).try_into_vec_as::<f32>()?;
/// assert!(x_hat[0].abs() < 1e-6 && (x_hat[1] - 1.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct GaussianMixture {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    stds: Vec<f64>,
}

impl GaussianMixture {
    /// Makes the mixture of `weights.len()` components with the given means and standard deviations.
    ///
    /// Weights need not sum to 1; means are in pixel units, one row of `C·H·W` values each.
    ///
    /// # Errors
    ///
    /// * [`AnalyticError::ComponentCount`] for no component or lists of different lengths.
    /// * [`AnalyticError::MeanLength`] if the means differ in length or are empty.
    /// * [`AnalyticError::Value`] for a value that is not finite, or a weight or standard deviation that
    ///   is not positive.
    pub fn new(
        weights: Vec<f64>,
        means: Vec<Vec<f64>>,
        stds: Vec<f64>,
    ) -> Result<Self, AnalyticError> {
        let count = weights.len();
        if count == 0 || means.len() != count || stds.len() != count {
            let (means, stds) = (means.len(), stds.len());
            return Err(AnalyticError::ComponentCount {
                weights: count,
                means,
                stds,
            });
        }
        let expected = means[0].len();
        for component in 0..count {
            let (mean, weight, std) = (&means[component], weights[component], stds[component]);
            if mean.len() != expected || expected == 0 {
                return Err(AnalyticError::MeanLength {
                    component,
                    found: mean.len(),
                    expected,
                });
            }
            for &value in mean {
                check_value("a value in the mean of component", component, value, false)?;
            }
            check_value("weight of component", component, weight, true)?;
            check_value("std of component", component, std, true)?;
        }
        Ok(Self {
            weights,
            means,
            stds,
        })
    }

    /// Returns the number of values `C·H·W` of an image.
    pub fn dimensions(&self) -> usize {
        self.means[0].len()
    }

    /// Returns `ln p_t(z_t)`, the log density of noisy states at level `at`, in nats.
    ///
    /// Shape `[B]`; see the type for formula and shapes.
    pub fn log_density(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<1> {
        let Noised { log_joint, .. } = self.noised(z_t, at);
        let largest = log_joint.clone().max_dim(1);
        let total = (log_joint - largest.clone()).exp().sum_dim(1);
        (largest + total.log()).squeeze_dim(1)
    }

    /// Returns the score `∇ ln p_t(z_t)` at level `at`.
    ///
    /// Shape `[B, C, H, W]`; see the type for formula and shapes. `ε̂ = −σ · score`.
    pub fn score(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let shape = z_t.dims();
        let noised = self.noised(z_t, at);
        let variances = noised.variances.clone();
        noised.average(shape, |k, offset| offset * (-1.0 / variances[k]))
    }

    /// Evaluates the noised mixture at the states.
    fn noised(&self, z_t: Tensor<4>, at: NoiseLevel) -> Noised {
        let (device, dtype) = (z_t.device(), z_t.dtype());
        let (b, d) = (z_t.dims()[0], self.dimensions());
        check_dimensions(z_t.dims(), d, "a mixture");
        let z_t = z_t.reshape([b, d]);
        let (alpha, sigma) = (at.alpha(), at.sigma());
        let weight_sum: f64 = self.weights.iter().sum();

        let mut noised = Noised {
            means: Vec::new(),
            offsets: Vec::new(),
            variances: Vec::new(),
            log_joint: Tensor::zeros([b, 0], (&device, dtype)),
        };
        let mut logs = Vec::new();
        for ((weight, mean), std) in self.weights.iter().zip(&self.means).zip(&self.stds) {
            let data = TensorData::new(mean.clone(), [1, d]);
            let mean = Tensor::<2>::from_data(data, (&device, dtype));
            let variance = alpha * alpha * std * std + sigma * sigma;
            let offset = z_t.clone() - mean.clone() * alpha;
            let constant = (weight / weight_sum).ln() - 0.5 * d as f64 * (TAU * variance).ln();
            logs.push(offset.clone().square().sum_dim(1) * (-0.5 / variance) + constant);
            noised.means.push(mean);
            noised.offsets.push(offset);
            noised.variances.push(variance);
        }
        noised.log_joint = Tensor::cat(logs, 1);
        noised
    }
}

impl Denoiser for GaussianMixture {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let shape = z_t.dims();
        let noised = self.noised(z_t, at);
        let gain = |(std, variance): (&f64, &f64)| at.alpha() * std * std / variance;
        let gains: Vec<f64> = self.stds.iter().zip(&noised.variances).map(gain).collect();
        let means = noised.means.clone();
        noised.average(shape, |k, offset| means[k].clone() + offset * gains[k])
    }
}

/// The mixture at one noise level, evaluated at a batch of states.
struct Noised {
    /// `μ_k`, each `[1, D]`.
    means: Vec<Tensor<2>>,
    /// `d_k = z_t − α μ_k`, each `[B, D]`.
    offsets: Vec<Tensor<2>>,
    /// `var_k`.
    variances: Vec<f64>,
    /// `ln w_k + ln N(z_t; α μ_k, var_k I)`, `[B, K]`.
    log_joint: Tensor<2>,
}

impl Noised {
    /// Averages `value(k, d_k)` over the components, each weighted by its responsibility `r_k`.
    fn average(
        self,
        shape: [usize; 4],
        value: impl Fn(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<4> {
        let largest = self.log_joint.clone().max_dim(1);
        let weights = (self.log_joint - largest).exp();
        let responsibilities = weights.clone() / weights.sum_dim(1);
        let terms = self
            .offsets
            .into_iter()
            .enumerate()
            .map(|(k, offset)| value(k, offset) * responsibilities.clone().narrow(1, k, 1));
        let sum = terms.reduce(|sum, term| sum + term);
        sum.expect("invariant: a mixture has at least one component")
            .reshape(shape)
    }
}

unchecked!(GaussianMixture { weights: Vec<f64>, means: Vec<Vec<f64>>, stds: Vec<f64> });
