use burn::tensor::Tensor;

use super::{StepError, predict};
use crate::{Denoiser, Prediction, Schedule};

/// Returns the derivative `dz/dt` of the probability-flow ODE at time `t` of the schedule.
///
/// It costs one model call. The methods that integrate the ODE in the schedule's own time
/// ([`Euler`](crate::Euler), [`Heun`](crate::Heun), [`Rk4`](crate::Rk4)) use nothing else.
///
/// ```text
/// dz/dt = α′(t) x̂ + σ′(t) ε̂          ε̂ = (z − α x̂)/σ
/// ```
///
/// With `α = 1` and `σ` proportional to `t` this is the slope of Karras et al. 2022
/// (arXiv:2206.00364), Algorithm 1.
///
/// # Shapes
///
/// | value    | shape          | range and unit                     |
/// |----------|----------------|------------------------------------|
/// | `z_t`    | `[B, C, H, W]` | noisy state, pixel units           |
/// | returned | `[B, C, H, W]` | pixel units per unit of time       |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if there is no noise at `t`: the slope is infinite or unknown.
/// * [`StepError::ShapeMismatch`] if the prediction has another shape than the state.
///
/// # Examples
///
/// Images that are standard normal: the flow leaves every state where it is.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, from_fn};
/// use dsno_ode::solver::ode_derivative;
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_t = Tensor::<4>::ones([1, 1, 1, 1], &Device::flex());
/// let rate = ode_derivative(&model, &z_t, &CosineSchedule::default(), 0.3)?;
/// assert!(rate.into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn ode_derivative(
    model: &dyn Denoiser,
    z_t: &Tensor<4>,
    schedule: &dyn Schedule,
    t: f64,
) -> Result<Tensor<4>, StepError> {
    let at = schedule.at(t);
    let x_hat = predict(model, z_t, at)?;
    let (alpha_rate, sigma_rate) = schedule.rates(t);
    let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z_t.clone(), at);
    Ok(x_hat * alpha_rate + eps_hat * sigma_rate)
}
