use std::ops::RangeInclusive;

use burn::tensor::Tensor;

use super::{Denoiser, DenoiserError};
use crate::NoiseLevel;

/// Classifier-free guidance: a conditional model driven away from an unconditional one.
///
/// ```text
/// x̂ = x̂_u + w (x̂_c − x̂_u)          inside the interval
/// x̂ = x̂_c                           outside
/// ```
///
/// Conventions: `w = 1` is the conditional model, which alone is then called; `w = 0` is the
/// unconditional one; `w > 1` overshoots. The weight of Ho and Salimans is `w − 1`. Guiding `x̂`, `ε̂`,
/// `v̂` or the score is the same, since they are linear in each other at one level.
///
/// [`within`](Self::within) limits guidance to an interval of log-SNR. Near pure noise it draws samples
/// of a class together, near the data it costs calls and changes nothing. The interval of Kynkäänniemi
/// et al. is one of `σ/α`, with `λ = −2 ln(σ/α)`: their `(σ_lo, σ_hi]` is `[−2 ln σ_hi, −2 ln σ_lo]`,
/// of which the upper end is included here.
///
/// A solve counts a call of this model as one; inside the interval it runs both networks, except for
/// `w = 1`. A network that predicts both in one batch is guided by a closure in
/// [`from_fn`](crate::from_fn) instead.
///
/// Ho and Salimans 2022 (arXiv:2207.12598); Kynkäänniemi et al. 2024 (arXiv:2404.07724).
///
/// # Shapes
///
/// Those of [`Denoiser::denoise`], for both models.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, ClassifierFreeGuidance, Denoiser, from_fn};
///
/// let of_class = from_fn(|z_t, _| z_t * 0.0 + 0.5);
/// let of_any = from_fn(|z_t, _| z_t * 0.0 + 0.2);
/// let model = ClassifierFreeGuidance::new(of_class, of_any, 3.0)?.within(-2.0..=4.0)?;
///
/// let z_t = Tensor::<4>::ones([1, 1, 1, 1], &Device::flex());
/// let x_hat = |log_snr| {
///     let at = NoiseLevel::from_log_snr(log_snr);
///     model.denoise(z_t.clone(), at).into_scalar::<f32>()
/// };
/// assert!((x_hat(0.0) - (0.2 + 3.0 * 0.3)).abs() < 1e-6);
/// assert_eq!((x_hat(-3.0), x_hat(5.0)), (0.5, 0.5));
/// # Ok::<(), dsno_ode::denoiser::DenoiserError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClassifierFreeGuidance<C, U> {
    conditional: C,
    unconditional: U,
    scale: f64,
    log_snr_range: RangeInclusive<f64>,
}

impl<C: Denoiser, U: Denoiser> ClassifierFreeGuidance<C, U> {
    /// Guides `conditional` away from `unconditional` with scale `w`, at every level.
    ///
    /// # Errors
    ///
    /// * [`DenoiserError::GuidanceScale`] unless `scale` is finite.
    pub fn new(conditional: C, unconditional: U, scale: f64) -> Result<Self, DenoiserError> {
        if !scale.is_finite() {
            return Err(DenoiserError::GuidanceScale { scale });
        }
        Ok(Self {
            conditional,
            unconditional,
            scale,
            log_snr_range: f64::NEG_INFINITY..=f64::INFINITY,
        })
    }

    /// Guides only at levels in a range of log-SNR (nats), both ends included.
    ///
    /// # Errors
    ///
    /// * [`DenoiserError::GuidanceInterval`] if the range is reversed or has NaN.
    pub fn within(self, log_snr_range: RangeInclusive<f64>) -> Result<Self, DenoiserError> {
        let (low, high) = log_snr_range.clone().into_inner();
        // Not `low > high`: NaN must not pass.
        let ordered = low <= high;
        if !ordered {
            return Err(DenoiserError::GuidanceInterval { low, high });
        }
        Ok(Self {
            log_snr_range,
            ..self
        })
    }

    /// Returns the scale `w`.
    pub const fn scale(&self) -> f64 {
        self.scale
    }

    /// Returns the log-SNR (nats) between which guidance acts.
    pub const fn log_snr_range(&self) -> &RangeInclusive<f64> {
        &self.log_snr_range
    }
}

impl<C: Denoiser, U: Denoiser> Denoiser for ClassifierFreeGuidance<C, U> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let acts = self.scale != 1.0 && self.log_snr_range.contains(&at.log_snr());
        if !acts {
            return self.conditional.denoise(z_t, at);
        }
        let of_class = self.conditional.denoise(z_t.clone(), at);
        let of_any = self.unconditional.denoise(z_t, at);
        of_class * self.scale + of_any * (1.0 - self.scale)
    }
}
