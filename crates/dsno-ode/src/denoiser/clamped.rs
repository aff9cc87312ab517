use burn::tensor::Tensor;

use super::Denoiser;
use crate::NoiseLevel;

/// A denoiser whose predictions are held to the image range `[-1, 1]`.
///
/// Pixel values outside the range cannot be in the data, so holding the prediction there removes
/// part of a network's error, mostly near `t = 1`. It also bends the ODE: trajectories of a clamped
/// and of an unclamped teacher differ, so whoever stores them should say which was used.
///
/// ```text
/// x̂ = min(max(x̂_model, −1), 1)          per pixel
/// ```
///
/// NaN and infinity are not held but become NaN, so that a solve stops on a broken model.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Clamped, Denoiser, from_fn};
///
/// let model = Clamped::new(from_fn(|z_t, _| z_t * 10.0));
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.3, &Device::flex());
/// assert_eq!(model.denoise(z_t, NoiseLevel::from_log_snr(0.0)).into_scalar::<f32>(), 1.0);
/// ```
#[derive(Debug, Clone)]
pub struct Clamped<M> {
    model: M,
}

impl<M: Denoiser> Clamped<M> {
    /// Wraps a model.
    pub const fn new(model: M) -> Self {
        Self { model }
    }
}

impl<M: Denoiser> Denoiser for Clamped<M> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        clamp_prediction(self.model.denoise(z_t, at))
    }
}

/// Holds a predicted image to `[-1, 1]`; NaN and infinity become NaN, so that a solve stops on them.
///
/// # Shapes
///
/// `x_hat` and the returned image are `[B, C, H, W]`, in pixel units.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::clamp_prediction;
///
/// let x_hat = Tensor::<4>::from_floats([[[[0.5, -3.0, f32::INFINITY]]]], &Device::flex());
/// let held = clamp_prediction(x_hat).try_into_vec_as::<f32>()?;
/// assert_eq!(held[..2], [0.5, -1.0]);
/// assert!(held[2].is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clamp_prediction(x_hat: Tensor<4>) -> Tensor<4> {
    // 0, or NaN where the prediction is not finite.
    let poison = x_hat.clone() * 0.0;
    x_hat.clamp(-1.0, 1.0) + poison
}
