use burn::tensor::Tensor;

use super::noise_source::noise_for;
use super::{
    Churn, Heun, NoiseSource, SMALLEST_SIGMA, Solver, SolverOptionError, StepError, Stepped,
};
use crate::{Denoiser, NoiseLevel, Step};

/// The stochastic sampler of EDM: noise is added before each of Heun's steps, which then removes it.
///
/// Without [`Churn`] it is [`Heun`](crate::Heun) bit for bit. The added noise lets the sampler
/// forget errors of earlier steps; as with every stochastic sampler, a result is no longer a function
/// of `z_1` alone.
///
/// ```text
/// γ   = min(s_churn/n, √2 − 1)   if σ_t/α_t is in [s_min, s_max], else 0       n steps in all
/// λ̂   = λ_t − 2 ln(1 + γ)      so that σ̂/α̂ = (1 + γ) σ_t/α_t;  t̂ is its time
/// ẑ   = (α̂/α_t) z_t + S √(σ̂² − (α̂ σ_t/α_t)²) n_t
/// z_s = a step of Heun from ẑ at t̂
/// ```
///
/// Karras et al. 2022 (arXiv:2206.00364), Algorithm 2, which is the case `α = 1`, written for any
/// schedule; `S` is [`Churn::s_noise`]. A step from `t = 1` is raised past the end of the schedule,
/// whose formula then has to go on, and the model is called at more noise than it was trained on: set
/// the churn's `s_max` below the schedule's to avoid it.
///
/// # Examples
///
/// ```
/// use burn::tensor::Tensor;
/// use dsno_ode::solver::Churn;
/// use dsno_ode::{CosineSchedule, Solver, Step, StochasticHeun};
///
/// let churn = Churn { s_churn: 40.0, s_min: 0.05, s_max: 50.0, s_noise: 1.003 };
/// let solver = StochasticHeun::new(churn, |_step: usize, like: &Tensor<4>| like.zeros_like())?;
/// let schedule = CosineSchedule::default();
/// assert_eq!(solver.calls(&Step::alone(&schedule, 0.5, 0.25)), 2);
/// # Ok::<(), dsno_ode::solver::SolverOptionError>(())
/// ```
#[derive(Clone)]
pub struct StochasticHeun<N> {
    churn: Churn,
    noise: N,
}

impl<N: NoiseSource> StochasticHeun<N> {
    /// Makes the sampler.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::ChurnAmount`] if `s_churn` is negative or not finite.
    /// * [`SolverOptionError::ChurnRange`] unless `0 <= s_min <= s_max`.
    /// * [`SolverOptionError::ChurnNoise`] if `s_noise` is not positive and finite.
    pub fn new(churn: Churn, noise: N) -> Result<Self, SolverOptionError> {
        churn.check()?;
        Ok(Self { churn, noise })
    }

    /// Returns how much noise is added, and where.
    pub const fn churn(&self) -> Churn {
        self.churn
    }

    /// Returns the state after noise was added, and the time of its level.
    fn raise(&self, z_t: Tensor<4>, step: &Step<'_>) -> Result<(Tensor<4>, f64), StepError> {
        let from = step.from();
        let gamma = self.churn.gamma(from, step.steps());
        if gamma == 0.0 || from.sigma() < SMALLEST_SIGMA {
            return Ok((z_t, step.t()));
        }
        let log_snr = from.log_snr() - 2.0 * gamma.ln_1p();
        let time = step.schedule().time_at(log_snr);
        // A schedule that ends has another level at that time, or NaN, which fails too.
        let reached = (step.schedule().log_snr(time) - log_snr).abs() <= SAME_LEVEL;
        if !reached {
            return Err(StepError::BeyondSchedule { log_snr });
        }
        let to = step.schedule().level(log_snr);
        let scale = to.alpha() / from.alpha();
        let added = self.churn.s_noise * added_noise(gamma, to);
        let noise = noise_for(&self.noise, step, &z_t)?;
        Ok((z_t * scale + noise * added, time))
    }
}

/// Returns `√(σ̂² − (α̂ σ_t/α_t)²) = σ̂ √(1 − (1 + γ)⁻²)`.
fn added_noise(gamma: f64, to: NoiseLevel) -> f64 {
    to.sigma() * (gamma * (2.0 + gamma)).sqrt() / (1.0 + gamma)
}

/// Room for rounding between a level and the level of its time, in nats.
const SAME_LEVEL: f64 = 1e-6;

impl<N: NoiseSource> Solver for StochasticHeun<N> {
    type Memory = ();

    fn name(&self) -> String {
        let Churn {
            s_churn,
            s_min,
            s_max,
            s_noise,
        } = self.churn;
        format!("churned-heun(churn={s_churn}, sigma={s_min}..{s_max}, noise={s_noise})")
    }

    /// Second order in distribution; without churn of the state itself.
    fn order(&self) -> usize {
        2
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        Heun.calls(step)
    }

    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>, (): ()) -> Stepped<()> {
        let (raised, time) = self.raise(z_t, step)?;
        Heun.step(model, raised, &step.starting_at(time), ())
    }
}

debug_without_closure!(StochasticHeun<N>, churn);

#[cfg(test)]
mod tests;
