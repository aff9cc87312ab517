use burn::tensor::Tensor;

use super::{Solver, StepError, Stepped, check_start, predict, same_shape};
use crate::{Denoiser, NoiseLevel, Step};

/// The deterministic DDIM solver: first order, one model call per step.
///
/// It freezes `x̂` over each interval and is exact where `x̂` is constant. The stochastic sampler of
/// the same paper (`η > 0`) is [`StochasticDdim`](crate::StochasticDdim). DPM-Solver-1 and the Euler
/// method in `σ/α` give the same step. The formula is that of [`ddim_step`].
///
/// Song et al. 2021 (arXiv:2010.02502v4).
///
/// # Published code
///
/// diffusers' `DDIMScheduler` takes these steps, with three differences. Numbers are largest changes
/// of the sample in ten steps of a model whose samples reach 1.1.
///
/// | option                     | what it does there                                     | effect |
/// |----------------------------|--------------------------------------------------------|--------|
/// | `clip_sample`              | clamps `x̂` but mixes it with the `ε̂` of the unclamped one; [`Clamped`](crate::Clamped) recomputes `ε̂` | 0.058, where clamping itself does 0.09 |
/// | `linspace` spacing         | steps are shorter than the gaps between calls, so the model is called with less noise than the state has | 0.13 |
/// | `set_alpha_to_one = false` | with leading spacing, the last call is made where the solve ends | none: one call is lost |
///
/// # Examples
///
/// ```
/// use dsno_ode::{Ddim, Solver};
///
/// assert_eq!((Ddim.name().as_str(), Ddim.order()), ("ddim", 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ddim;

impl Solver for Ddim {
    type Memory = ();

    fn name(&self) -> String {
        "ddim".to_owned()
    }

    fn order(&self) -> usize {
        1
    }

    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>, (): ()) -> Stepped<()> {
        let x_hat = predict(model, &z_t, step.from())?;
        Ok((ddim_step(z_t, x_hat, step.from(), step.to())?, ()))
    }
}

/// Moves a batch one deterministic DDIM step, from noise level `from` to `to`.
///
/// The step keeps the noise that the model believes is in the image and only
/// re-mixes it with the predicted clean image:
///
/// ```text
/// ε̂  = (z_t − α_t x̂) / σ_t          noise implied by the prediction
/// z_s = α_s x̂ + σ_s ε̂               same x̂ and ε̂, new proportions
/// ```
///
/// This is Song et al. 2021 (arXiv:2010.02502v4), Eq. 12 with η = 0, rewritten
/// for a model that predicts `x`. It is exact whenever `x̂` is constant between
/// the two times; its global error is otherwise first order in the step in `λ`.
///
/// # Shapes
///
/// | value    | shape          | range and unit                            |
/// |----------|----------------|-------------------------------------------|
/// | `z_t`    | `[B, C, H, W]` | noisy state, pixel units                  |
/// | `x_hat`  | `[B, C, H, W]` | clean image, `[-1, 1]`; not clamped here  |
/// | returned | `[B, C, H, W]` | noisy state at `to`                       |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if `from` has `σ < 1e-12`: `ε̂` would be 0/0.
/// * [`StepError::ShapeMismatch`] if `z_t` and `x_hat` differ in shape; nothing
///   is broadcast.
///
/// # Examples
///
/// A perfect prediction lands on the exact forward marginal at the new time.
///
/// ```
/// use burn::tensor::{Device, Tensor, Tolerance};
/// use dsno_ode::NoiseLevel;
/// use dsno_ode::solver::ddim_step;
///
/// let device = Device::flex();
/// let (from, to) = (NoiseLevel::from_log_snr(-2.0), NoiseLevel::from_log_snr(3.0));
/// let x = Tensor::<4>::full([1, 3, 2, 2], 0.25, &device);
/// let eps = Tensor::<4>::full([1, 3, 2, 2], -1.5, &device);
/// let z = |at: NoiseLevel| x.clone() * at.alpha() + eps.clone() * at.sigma();
///
/// let stepped = ddim_step(z(from), x.clone(), from, to)?;
/// stepped.into_data().assert_approx_eq::<f32>(&z(to).into_data(), Tolerance::relative(1e-5));
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn ddim_step(
    z_t: Tensor<4>,
    x_hat: Tensor<4>,
    from: NoiseLevel,
    to: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    check_start(from)?;
    same_shape(&z_t, &x_hat)?;
    // The two formulas collected by tensor: the coefficients cancel in f64 on the host rather than
    // the images in f32 on the device, and three tensor operations do instead of five.
    let keep = to.sigma() / from.sigma();
    Ok(z_t * keep + x_hat * (to.alpha() - keep * from.alpha()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{assert_close, f64_tensor};

    fn level(log_snr: f64) -> NoiseLevel {
        NoiseLevel::from_log_snr(log_snr)
    }

    #[test]
    fn two_steps_are_one_for_a_constant_prediction() {
        let z_t = f64_tensor(&[1.3, -0.2, 0.7, -2.1], [2, 2, 1, 1]);
        let x_hat = f64_tensor(&[0.5, -0.5, 0.1, 1.0], [2, 2, 1, 1]);
        let (from, middle, to) = (level(-20.0), level(0.4), level(20.0));
        let one = ddim_step(z_t.clone(), x_hat.clone(), from, to).expect("a valid step");
        let half = ddim_step(z_t, x_hat.clone(), from, middle).expect("a valid step");
        let two = ddim_step(half, x_hat, middle, to).expect("a valid step");
        assert_close(&two, &one, 1e-15);
    }

    #[test]
    fn a_noiseless_target_is_the_prediction_itself() {
        let z_t = f64_tensor(&[1.3, -0.2], [1, 2, 1, 1]);
        let x_hat = f64_tensor(&[0.5, -0.5], [1, 2, 1, 1]);
        let end = ddim_step(z_t, x_hat.clone(), level(-3.0), level(f64::INFINITY));
        assert_close(&end.expect("a valid step"), &x_hat, 0.0);
    }

    #[test]
    fn a_noiseless_start_is_refused() {
        let z_t = f64_tensor(&[1.3], [1, 1, 1, 1]);
        let step = ddim_step(z_t.clone(), z_t, level(f64::INFINITY), level(0.0));
        let expected = StepError::NoiselessStart {
            sigma: 0.0,
            log_snr: f64::INFINITY,
        };
        assert_eq!(step.err(), Some(expected));
    }

    #[test]
    fn shapes_are_not_broadcast() {
        let z_t = f64_tensor(&[1.3, 0.1], [2, 1, 1, 1]);
        let x_hat = f64_tensor(&[0.5], [1, 1, 1, 1]);
        let expected = StepError::ShapeMismatch {
            state: [2, 1, 1, 1],
            prediction: [1, 1, 1, 1],
        };
        assert_eq!(
            ddim_step(z_t, x_hat, level(-1.0), level(0.0)).err(),
            Some(expected)
        );
    }
}
