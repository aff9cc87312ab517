use burn::tensor::Tensor;

use super::{Solver, StepError, state_rate};
use crate::{Denoiser, Step};

/// Euler's method in the schedule's own time: first order, one model call per step.
///
/// The time matters. On a schedule whose time is `σ/α` (variance exploding, as in EDM) a step is
/// exactly that of [`Ddim`](crate::Ddim). On a cosine schedule the state moves along a circle and
/// Euler follows the tangent. Where the noise starts like `σ ∝ √t` (linear β), `σ′` is infinite at
/// `t = 0`; the slope `σ′ ε̂` stays finite only if the data have a smooth density, as the Gaussian
/// mixture has, on which the order holds there too.
///
/// ```text
/// z_s = z_t + (s − t) dz/dt            dz/dt = α′ x̂ + σ′ ε̂ at t, see state_rate
/// ```
///
/// Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 without its correction, for any schedule.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Euler, Solver};
///
/// assert_eq!((Euler.name().as_str(), Euler.order()), ("euler", 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Euler;

impl Solver for Euler {
    type Memory = ();

    fn name(&self) -> String {
        "euler".to_owned()
    }

    fn order(&self) -> usize {
        1
    }

    fn calls(&self, _step: &Step<'_>) -> usize {
        1
    }

    fn start(&self) {}

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let rate = state_rate(model, &z_t, step.schedule(), step.t())?;
        Ok((z_t + rate * (step.s() - step.t()), ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::test_steps::{check_refusals, sigma_time, start, wavy};
    use crate::test_support::assert_close;
    use crate::{CosineSchedule, Ddim};

    #[test]
    fn is_ddim_where_time_is_the_noise_amplitude() {
        let schedule = sigma_time(80.0);
        for (t, s) in [(1.0, 0.4), (0.01, 0.001), (0.002, 0.0)] {
            let step = Step::alone(&schedule, t, s);
            let (euler, ()) = Euler.step(&wavy(), start(), &step, ()).expect("a step");
            let (ddim, ()) = Ddim.step(&wavy(), start(), &step, ()).expect("a step");
            assert_close(&euler, &ddim, 1e-13);
        }
    }

    #[test]
    fn follows_the_tangent_of_the_cosine_circle() {
        // x̂ = 0: the state is σ ε̂ and its slope is the circle's, cos φ dφ/dt.
        let schedule = CosineSchedule::default();
        let model = crate::from_fn(|z_t: Tensor<4>, _| z_t.zeros_like());
        let step = Step::alone(&schedule, 0.5, 0.4);
        let (found, ()) = Euler.step(&model, start(), &step, ()).expect("a step");
        let angle_per_time = std::f64::consts::FRAC_PI_2 - 2.0 * (-10.0f64).exp().atan();
        assert_close(&found, &(start() * (1.0 - 0.1 * angle_per_time)), 1e-14);
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        check_refusals(&Euler);
    }
}
