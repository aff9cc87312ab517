//! The forward process: from a clean image and noise to the noisy state, and the state of noise alone.

use burn::tensor::Tensor;

use crate::{NoiseLevel, Schedule};

/// Mixes clean images with noise to noisy states at one noise level.
///
/// ```text
/// z_t = α x + σ ε
/// ```
///
/// # Shapes
///
/// | value    | shape          | range and unit                |
/// |----------|----------------|-------------------------------|
/// | `x`      | `[B, C, H, W]` | clean image, `[-1, 1]`        |
/// | `eps`    | `[B, C, H, W]` | standard normal               |
/// | returned | `[B, C, H, W]` | noisy state, pixel units      |
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, add_noise};
///
/// let x = Tensor::<4>::full([1, 1, 1, 1], 0.5, &Device::flex());
/// let clean = add_noise(x.clone(), x.clone() * 3.0, NoiseLevel::from_log_snr(f64::INFINITY));
/// assert_eq!(clean.into_scalar::<f32>(), 0.5);
/// ```
pub fn add_noise(x: Tensor<4>, eps: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
    x * at.alpha() + eps * at.sigma()
}

/// Mixes clean images with noise, with a noise level of its own for every sample.
///
/// ```text
/// z_t = α x + σ ε
/// ```
///
/// # Shapes
///
/// | value            | shape          | range and unit             |
/// |------------------|----------------|----------------------------|
/// | `x`              | `[B, C, H, W]` | clean image, `[-1, 1]`     |
/// | `eps`            | `[B, C, H, W]` | standard normal            |
/// | `alpha`, `sigma` | `[B, 1, 1, 1]` | amplitudes of each sample  |
/// | returned         | `[B, C, H, W]` | noisy state, pixel units   |
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::add_noise_with;
///
/// let device = Device::flex();
/// let x = Tensor::<4>::full([2, 1, 1, 1], 0.5, &device);
/// let alpha = Tensor::<1>::from_floats([1.0, 0.0], &device).reshape([2, 1, 1, 1]);
/// let sigma = Tensor::<1>::from_floats([0.0, 1.0], &device).reshape([2, 1, 1, 1]);
/// let z_t = add_noise_with(x.clone(), x * 3.0, alpha, sigma);
/// assert_eq!(z_t.try_into_vec_as::<f32>()?, [0.5, 1.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn add_noise_with(
    x: Tensor<4>,
    eps: Tensor<4>,
    alpha: Tensor<4>,
    sigma: Tensor<4>,
) -> Tensor<4> {
    x * alpha + eps * sigma
}

/// Scales standard normal noise to the state at `t = 1` from which a solve starts.
///
/// Where variance is preserved the noise is that state already; where the variance explodes the state
/// is `σ(1)` times as large. diffusers calls the factor `init_noise_sigma`.
///
/// # Shapes
///
/// `noise` and the returned state are `[B, C, H, W]`; the state is in pixel units.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, EdmSchedule, Schedule, initial_state};
///
/// let noise = Tensor::<4>::ones([1, 1, 1, 1], &Device::flex());
/// let at_one = |schedule: &dyn Schedule| initial_state(noise.clone(), schedule).into_scalar::<f32>();
/// assert_eq!(at_one(&CosineSchedule::default()), 1.0);
/// assert_eq!(at_one(&EdmSchedule::default()), 80.0);
/// ```
#[doc(alias = "init_noise_sigma")]
pub fn initial_state(noise: Tensor<4>, schedule: &dyn Schedule) -> Tensor<4> {
    let at = schedule.at(1.0);
    if at.scale() == 1.0 {
        noise
    } else {
        noise * at.sigma()
    }
}
