use burn::tensor::Tensor;

use super::{Solver, StepError, state_rate};
use crate::{Denoiser, Schedule, Step};

/// Heun's method in the schedule's own time, the deterministic sampler of EDM: second order.
///
/// An Euler step is corrected with the slope at its end: two model calls. A step that ends without
/// noise has no slope there and stays Euler, one call; `n` steps to `σ = 0` cost `2n − 1`.
///
/// ```text
/// z′  = z_t + (s − t) d                 d  = dz/dt at t, see state_rate
/// z_s = z_t + (s − t)(d + d′)/2         d′ = dz/dt at s, in z′
/// ```
///
/// Karras et al. 2022 (arXiv:2206.00364), Algorithm 1, written for any schedule. EDM itself is this
/// solver on a variance-exploding schedule with `σ` proportional to `t`, over Karras's grid. The
/// stochastic sampler of the paper is [`ChurnedHeun`](crate::ChurnedHeun).
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Heun, LinearBetaSchedule, Solver, Step};
///
/// let (cosine, linear) = (CosineSchedule::default(), LinearBetaSchedule::default());
/// assert_eq!((Heun.name().as_str(), Heun.order()), ("heun", 2));
/// assert_eq!(Heun.calls(&Step::alone(&cosine, 0.5, 0.0)), 2);
/// assert_eq!(Heun.calls(&Step::alone(&linear, 0.5, 0.0)), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heun;

impl Solver for Heun {
    type Memory = ();

    fn name(&self) -> String {
        "heun".to_owned()
    }

    fn order(&self) -> usize {
        2
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() { 1 } else { 2 }
    }

    fn start(&self) {}

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        Ok((
            heun_step(model, z_t, step.schedule(), step.t(), step.s())?,
            (),
        ))
    }
}

/// Takes one step of Heun's method, or of Euler's if there is no noise at `s`.
pub(super) fn heun_step(
    model: &dyn Denoiser,
    z_t: Tensor<4>,
    schedule: &dyn Schedule,
    t: f64,
    s: f64,
) -> Result<Tensor<4>, StepError> {
    let rate = state_rate(model, &z_t, schedule, t)?;
    let predicted = z_t.clone() + rate.clone() * (s - t);
    if schedule.at(s).sigma() == 0.0 {
        return Ok(predicted);
    }
    let rate_after = state_rate(model, &predicted, schedule, s)?;
    Ok(z_t + (rate + rate_after) * (0.5 * (s - t)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::test_steps::{check_refusals, check_repeats, sigma_time, start, wavy};
    use crate::test_support::{assert_close, values};
    use crate::{CosineSchedule, Euler};

    #[test]
    fn a_step_to_no_noise_is_euler() {
        let schedule = sigma_time(80.0);
        let step = Step::alone(&schedule, 0.01, 0.0);
        let (heun, ()) = Heun.step(&wavy(), start(), &step, ()).expect("a step");
        let (euler, ()) = Euler.step(&wavy(), start(), &step, ()).expect("a step");
        assert_close(&heun, &euler, 0.0);
    }

    #[test]
    fn averages_the_slopes_at_both_ends() {
        // x̂ = c z at α = 1: dz/dσ = (1 − c) z/σ, so both slopes are known in closed form.
        let c = 0.3;
        let model = crate::from_fn(move |z_t: Tensor<4>, _| z_t * c);
        let schedule = sigma_time(10.0);
        let step = Step::alone(&schedule, 0.5, 0.2);
        let (found, ()) = Heun.step(&model, start(), &step, ()).expect("a step");
        let (sigma_t, sigma_s) = (5.0, 2.0);
        for (found, z) in values(&found).into_iter().zip(values(&start())) {
            let slope = (1.0 - c) * z / sigma_t;
            let predicted = z + (sigma_s - sigma_t) * slope;
            let slope_after = (1.0 - c) * predicted / sigma_s;
            let expected = z + (sigma_s - sigma_t) * 0.5 * (slope + slope_after);
            assert!((found - expected).abs() < 1e-14, "{found}, {expected}");
        }
    }

    #[test]
    fn repeats_and_refuses() {
        check_repeats(&Heun, &CosineSchedule::default());
        check_refusals(&Heun);
    }
}
