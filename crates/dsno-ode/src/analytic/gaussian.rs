use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{AnalyticError, check_dimensions, check_value};
use crate::{Denoiser, NoiseLevel};

/// The exact denoiser and the exact flow of images whose values are independent and normal.
///
/// It is the only teacher here whose probability-flow ODE has a solution in closed form, so the error
/// of a solver on it is known to the last digit. Each value `j` has a mean `μ_j` and a standard
/// deviation `s_j`:
///
/// ```text
/// var_j(t)  = α² s_j² + σ²
/// x̂_j       = E[x | z_t]_j = μ_j + α s_j²/var_j (z_t − α μ)_j
/// flow      (z_t − α μ)_j / √var_j  is constant, so  z_s = α_s μ + √(var_s/var_t) (z_t − α_t μ)
/// ```
///
/// The flow needs no schedule: it depends on the two levels alone, which may even be of different
/// processes. No form divides by `α` or `σ`.
///
/// # Shapes
///
/// | value                      | shape          | range and unit           |
/// |----------------------------|----------------|--------------------------|
/// | `z_t`                      | `[B, C, H, W]` | noisy state, pixel units |
/// | [`denoise`], [`flow`]      | `[B, C, H, W]` | pixel units              |
///
/// [`denoise`]: Denoiser::denoise
/// [`flow`]: Self::flow
///
/// # Panics
///
/// The methods that take a state panic if `C·H·W` is not [`dimensions`](Self::dimensions).
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::analytic::Gaussian;
/// use dsno_ode::{CosineSchedule, Ddim, Schedule, TimeGrid, solve};
///
/// let teacher = Gaussian::new(vec![0.3, -0.2], vec![0.5])?;
/// let schedule = CosineSchedule::default();
/// let z_1 = Tensor::<4>::ones([1, 2, 1, 1], &Device::flex());
/// let exact = teacher.flow(z_1.clone(), schedule.at(1.0), schedule.at(0.0));
///
/// let solution = solve(&teacher, &Ddim, &schedule, &TimeGrid::uniform(500)?, z_1, &[0.0])?;
/// let error = (solution.states[0].clone() - exact).abs().max().into_scalar::<f32>();
/// assert!(error < 2e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Gaussian {
    mean: Vec<f64>,
    /// One per value, or one for all.
    std: Vec<f64>,
}

impl Gaussian {
    /// Makes the teacher of images with the given mean, one number per value in C-order, and
    /// standard deviation, one number per value or one for all; in pixel units.
    ///
    /// # Errors
    ///
    /// * [`AnalyticError::GaussianLength`] if there is no value, or another number of deviations.
    /// * [`AnalyticError::Value`] for the first mean that is not finite, or else the first deviation that
    ///   is not positive and finite.
    pub fn new(mean: Vec<f64>, std: Vec<f64>) -> Result<Self, AnalyticError> {
        let matches = std.len() == 1 || std.len() == mean.len();
        if mean.is_empty() || !matches {
            return Err(AnalyticError::GaussianLength {
                mean: mean.len(),
                std: std.len(),
            });
        }
        for (index, &value) in mean.iter().enumerate() {
            check_value("mean of value", index, value, false)?;
        }
        for (index, &value) in std.iter().enumerate() {
            check_value("std of value", index, value, true)?;
        }
        Ok(Self { mean, std })
    }

    /// Returns the number of values `C·H·W` of an image.
    pub fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// Follows the probability-flow ODE exactly from one noise level to another.
    ///
    /// See the type for formula and shapes. Every level can be left, the noiseless one too.
    pub fn flow(&self, z_t: Tensor<4>, from: NoiseLevel, to: NoiseLevel) -> Tensor<4> {
        self.affine(z_t, |mean, std| {
            let gain = spread(std, to) / spread(std, from);
            (gain, mean * (to.alpha() - gain * from.alpha()))
        })
    }

    /// Maps every value `z` to `gain · z + offset`, both computed in f64 from its mean and deviation.
    fn affine(&self, z_t: Tensor<4>, of: impl Fn(f64, f64) -> (f64, f64)) -> Tensor<4> {
        let [_, c, h, w] = z_t.dims();
        let d = self.dimensions();
        check_dimensions(z_t.dims(), d, "a normal distribution");
        let value = |j: usize| of(self.mean[j], self.std[j % self.std.len()]);
        let (gains, offsets): (Vec<f64>, Vec<f64>) = (0..d).map(value).unzip();
        let options = (&z_t.device(), z_t.dtype());
        let image = |values| Tensor::from_data(TensorData::new(values, [1, c, h, w]), options);
        let (gains, offsets): (Tensor<4>, Tensor<4>) = (image(gains), image(offsets));
        z_t * gains + offsets
    }
}

/// Returns the standard deviation `√(α² s² + σ²)` of a noised value.
fn spread(std: f64, at: NoiseLevel) -> f64 {
    (at.alpha() * std).hypot(at.sigma())
}

impl Denoiser for Gaussian {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        self.affine(z_t, |mean, std| {
            let variance = spread(std, at).powi(2);
            let gain = at.alpha() * std * std / variance;
            // 1 − gain · α without its cancellation.
            (gain, mean * (at.sigma().powi(2) / variance))
        })
    }
}

unchecked!(Gaussian { mean: Vec<f64>, std: Vec<f64> });
