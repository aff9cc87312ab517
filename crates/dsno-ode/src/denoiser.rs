//! The model as solvers see it, and wrappers around it.
//!
//! Here is the [`Denoiser`] trait; each wrapper has a file of its own. They nest in any order.

mod clamped;
mod classifier_free_guidance;
mod conditioned;
mod conditioning;
mod dynamic_threshold;

pub use clamped::{Clamped, clamp_prediction};
pub use classifier_free_guidance::ClassifierFreeGuidance;
pub use conditioned::Conditioned;
pub use conditioning::Conditioning;
pub use dynamic_threshold::DynamicThreshold;

use burn::tensor::Tensor;

use crate::NoiseLevel;

/// Predicts the clean image in a noisy state.
///
/// This is all that a solver knows of a model. A network that predicts `ε`, `v` or the score, and is
/// conditioned on the level in its own terms, becomes a denoiser in [`Conditioned`]; labels belong to the
/// implementing type. Plain functions become denoisers through [`from_fn`].
///
/// The optimal denoiser is the posterior mean `x̂ = E[x | z_t]`.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Denoiser};
///
/// /// The exact denoiser of images that are standard normal: x̂ = α z_t.
/// struct StandardNormal;
///
/// impl Denoiser for StandardNormal {
///     fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
///         z_t * at.alpha()
///     }
/// }
///
/// let model: &dyn Denoiser = &StandardNormal;
/// let z_t = Tensor::<4>::ones([1, 1, 1, 1], &Device::flex());
/// let clean = NoiseLevel::from_log_snr(f64::INFINITY);
/// assert_eq!(model.denoise(z_t, clean).into_scalar::<f32>(), 1.0);
/// ```
pub trait Denoiser {
    /// Returns `x̂` for states that are all at noise level `at`.
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit                                |
    /// |----------|----------------|-----------------------------------------------|
    /// | `z_t`    | `[B, C, H, W]` | noisy state, pixel units                      |
    /// | returned | `[B, C, H, W]` | clean image, about `[-1, 1]`, same dtype      |
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4>;
}

impl<M: Denoiser + ?Sized> Denoiser for &M {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        (**self).denoise(z_t, at)
    }
}

impl<M: Denoiser + ?Sized> Denoiser for Box<M> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        (**self).denoise(z_t, at)
    }
}

/// Makes a denoiser of a closure `(z_t, at) → x̂`.
///
/// # Shapes
///
/// The closure maps `[B, C, H, W]` to `[B, C, H, W]`, see [`Denoiser::denoise`].
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Denoiser, Prediction, from_fn};
///
/// // A network that predicts ε, here the constant 0.
/// let model = from_fn(|z_t, at| Prediction::Epsilon.to_x(z_t.zeros_like(), z_t, at));
/// let at = NoiseLevel::from_log_snr(0.0);
/// let x_hat = model.denoise(Tensor::ones([1, 1, 1, 1], &Device::flex()), at);
/// assert!((x_hat.into_scalar::<f32>() - 2f32.sqrt()).abs() < 1e-6);
/// ```
pub fn from_fn<F>(function: F) -> FromFn<F>
where
    F: Fn(Tensor<4>, NoiseLevel) -> Tensor<4>,
{
    FromFn { function }
}

/// A denoiser that calls a closure; made by [`from_fn`].
#[derive(Clone)]
pub struct FromFn<F> {
    function: F,
}

impl<F> Denoiser for FromFn<F>
where
    F: Fn(Tensor<4>, NoiseLevel) -> Tensor<4>,
{
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        (self.function)(z_t, at)
    }
}

debug_without_closure!(FromFn<F>);

/// Why a wrapper around a model cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DenoiserError {
    /// The scale of guidance is not a number to multiply with.
    #[error("the guidance scale is {scale}, expected a finite number")]
    GuidanceScale {
        /// The scale given.
        scale: f64,
    },
    /// The interval of guidance is reversed.
    #[error("guidance acts from log-SNR {low} to {high}, expected two numbers in rising order")]
    GuidanceInterval {
        /// The noisiest level given, in nats.
        low: f64,
        /// The cleanest level given, in nats.
        high: f64,
    },
    /// The percentile of a threshold is not one.
    #[error(
        "the percentile of a dynamic threshold is {percentile}, expected above 0 and at most 1"
    )]
    Percentile {
        /// The percentile given.
        percentile: f64,
    },
    /// The largest threshold is below the image range.
    #[error("the largest dynamic threshold is {largest}, expected at least 1")]
    LargestThreshold {
        /// The bound given.
        largest: f64,
    },
}

#[cfg(test)]
mod tests;
