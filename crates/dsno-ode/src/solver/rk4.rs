use burn::tensor::Tensor;

use super::{Solver, StepError, state_rate};
use crate::{Denoiser, Step};

/// The classic Runge–Kutta method in the schedule's own time: fourth order, four model calls.
///
/// Its order needs a slope that is smooth in time. A step that ends without noise has no slope at its
/// end and is one of [`Euler`](crate::Euler), one call: a grid that ends there, as linear β does at
/// `t = 0`, is of order 2 as a whole.
///
/// ```text
/// m   = (t + s)/2,  h = s − t           f = dz/dt, see state_rate
/// k₁  = f(z_t, t)                       k₂ = f(z_t + h/2 k₁, m)
/// k₃  = f(z_t + h/2 k₂, m)              k₄ = f(z_t + h k₃, s)
/// z_s = z_t + h/6 (k₁ + 2k₂ + 2k₃ + k₄)
/// ```
///
/// Kutta 1901, "Beitrag zur näherungsweisen Integration totaler Differentialgleichungen".
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Rk4, Solver, Step};
///
/// let schedule = CosineSchedule::default();
/// assert_eq!((Rk4.name().as_str(), Rk4.order()), ("rk4", 4));
/// assert_eq!(Rk4.calls(&Step::alone(&schedule, 0.5, 0.25)), 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rk4;

impl Solver for Rk4 {
    type Memory = ();

    fn name(&self) -> String {
        "rk4".to_owned()
    }

    fn order(&self) -> usize {
        4
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() { 1 } else { 4 }
    }

    fn start(&self) {}

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let (t, h) = (step.t(), step.s() - step.t());
        let middle = t + 0.5 * h;
        let rate = |z: &Tensor<4>, time| state_rate(model, z, step.schedule(), time);
        let k1 = rate(&z_t, t)?;
        if step.ends_without_noise() {
            return Ok((z_t + k1 * h, ()));
        }
        let k2 = rate(&(z_t.clone() + k1.clone() * (0.5 * h)), middle)?;
        let k3 = rate(&(z_t.clone() + k2.clone() * (0.5 * h)), middle)?;
        let k4 = rate(&(z_t.clone() + k3.clone() * h), step.s())?;
        let sum = k1 + (k2 + k3) * 2.0 + k4;
        Ok((z_t + sum * (h / 6.0), ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CosineSchedule;
    use crate::solver::test_steps::{check_refusals, check_repeats, sigma_time, start, wavy};
    use crate::test_support::{assert_close, values};

    #[test]
    fn has_the_stability_polynomial_of_order_four() {
        // z′ = k z in σ, with k constant: x̂ = (1 − k σ) z. One step multiplies by Σ_{j≤4} (k h)^j/j!.
        let (k, sigma_max) = (0.2, 4.0);
        let model = crate::from_fn(move |z_t: Tensor<4>, at: crate::NoiseLevel| {
            z_t * (1.0 - k * at.sigma())
        });
        let schedule = sigma_time(sigma_max);
        let step = Step::alone(&schedule, 0.9, 0.3);
        let (found, ()) = Rk4.step(&model, start(), &step, ()).expect("a step");
        let x: f64 = k * sigma_max * (0.3 - 0.9);
        let factor = 1.0 + x + x * x / 2.0 + x.powi(3) / 6.0 + x.powi(4) / 24.0;
        for (found, z) in values(&found).into_iter().zip(values(&start())) {
            assert!(
                (found - factor * z).abs() < 1e-14,
                "{found}, {}",
                factor * z
            );
        }
    }

    #[test]
    fn a_step_to_no_noise_is_euler() {
        let schedule = sigma_time(80.0);
        let step = Step::alone(&schedule, 0.01, 0.0);
        let (rk4, ()) = Rk4.step(&wavy(), start(), &step, ()).expect("a step");
        let (euler, ()) = crate::Euler
            .step(&wavy(), start(), &step, ())
            .expect("a step");
        assert_eq!(Rk4.calls(&step), 1);
        assert_close(&rk4, &euler, 0.0);
    }

    #[test]
    fn repeats_and_refuses() {
        check_repeats(&Rk4, &CosineSchedule::default());
        check_refusals(&Rk4);
    }
}
