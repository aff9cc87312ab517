use burn::tensor::Tensor;

use super::exponential::combine;
use super::{AlgorithmType, History, Solver, Stepped};
use crate::{Denoiser, NoiseLevel, Step};

/// PLMS, the pseudo linear multistep method: one model call per step, two in the first.
///
/// A step is that of [`Ddim`](crate::Ddim) with a better `ε̂`: the Adams–Bashforth average of the
/// newest four predictions.
///
/// ```text
/// z_s = α_s/α_t z_t + (σ_s − α_s σ_t/α_t) ε̄
///
/// ε̄ = (ε̂_t + ε̂_s̃)/2                             first step; s̃ is where ε̂_t alone leads
///     (3 ε̂_0 − ε̂_1)/2                            second
///     (23 ε̂_0 − 16 ε̂_1 + 5 ε̂_2)/12               third
///     (55 ε̂_0 − 59 ε̂_1 + 37 ε̂_2 − 9 ε̂_3)/24      every other; ε̂_0 is that at t, ε̂_1 before it
/// ```
///
/// The averages assume **steps of equal length in time**, and are taken as they are on any grid, as
/// published; [`Deis`](crate::Deis) weights by the lengths. The method averages over time what the
/// flow integrates over `σ/α`, so that its order is 2 in spite of the four predictions. Exact for a
/// constant `ε̂`.
///
/// Start where there is signal, such as λ = −10 of the DDPM table. Almost pure noise leaves `ε̂`
/// divided by a tiny `α`: with 16 equal times on the cosine schedule, from λ = −20, the error on the
/// Gaussian mixture of the tests is 4.19, and 1.32e6 for [`Pndm`](crate::Pndm); with 128 times, 0.0440
/// and 39.
///
/// Liu et al. 2022 (arXiv:2202.09778), the linear multistep part; the start is the second-order one
/// of the paper's S-PNDM, as in published latent-diffusion samplers. diffusers' `PNDMScheduler` with
/// `skip_prk_steps` is this method; unless `set_alpha_to_one` is set it ends with a call that leaves the
/// state where it is, at the first entry of the table.
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Plms, Solver, Step};
///
/// let schedule = CosineSchedule::default();
/// assert_eq!((Plms.name().as_str(), Plms.order()), ("plms", 2));
/// assert_eq!(Plms.calls(&Step::new(&schedule, 1.0, 0.9, 0, 10)), 2);
/// assert_eq!(Plms.calls(&Step::new(&schedule, 0.9, 0.8, 1, 10)), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plms;

/// Number of predictions in the average, which is the paper's order.
pub(crate) const AVERAGED: usize = 4;

impl Solver for Plms {
    type Memory = History;

    fn name(&self) -> String {
        "plms".to_owned()
    }

    fn order(&self) -> usize {
        2
    }

    /// Returns 2 for the first step, unless it ends without noise, and 1 for every other.
    fn calls(&self, step: &Step<'_>) -> usize {
        1 + usize::from(step.is_first() && !step.ends_without_noise())
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: History,
    ) -> Stepped<History> {
        let epsilon = AlgorithmType::DpmSolver.predict(model, &z_t, step.from())?;
        let memory = memory.with(step, epsilon.clone(), AVERAGED);
        let average = if memory.len() > 1 {
            adams_bashforth(&memory)
        } else if step.ends_without_noise() {
            epsilon
        } else {
            let there = transfer(z_t.clone(), epsilon.clone(), step.from(), step.to());
            (epsilon + AlgorithmType::DpmSolver.predict(model, &there, step.to())?) * 0.5
        };
        Ok((transfer(z_t, average, step.from(), step.to()), memory))
    }
}

/// Returns the average over a step of the noise at its start and at earlier, equally spaced times.
pub(crate) fn adams_bashforth(memory: &History) -> Tensor<4> {
    let weights: &[f64] = match memory.len() {
        0 | 1 => &[1.0],
        2 => &[1.5, -0.5],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    let mut terms = weights.iter().copied().zip(memory.newest(AVERAGED));
    let newest = &memory.newest(1)[0].value;
    let first = newest.clone() * terms.next().map_or(1.0, |(weight, _)| weight);
    combine(first, terms.map(|(weight, one)| (weight, &one.value)))
}

/// Moves a state from one level to another with a given noise: formula (11) of the paper, φ.
pub(crate) fn transfer(
    z_t: Tensor<4>,
    epsilon: Tensor<4>,
    from: NoiseLevel,
    to: NoiseLevel,
) -> Tensor<4> {
    let keep = to.alpha() / from.alpha();
    z_t * keep + epsilon * (to.sigma() - keep * from.sigma())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CosineSchedule;
    use crate::solver::test_multistep::multistep_laws;
    use crate::test_support::{assert_close, f64_tensor};

    multistep_laws!(noise: [Plms]);

    #[test]
    fn averages_are_exact_for_polynomials_at_equal_distances() {
        // ∫_0^1 (1 − u + 2u² − u³) du from values at 0, −1, −2, −3, to the degree they allow.
        let schedule = CosineSchedule::default();
        let step = Step::alone(&schedule, 0.5, 0.4);
        let powers = [1.0, -1.0, 2.0, -1.0];
        let integral =
            |degree: usize| -> f64 { (0..=degree).map(|k| powers[k] / (k + 1) as f64).sum() };
        let value = |degree: usize, u: f64| -> f64 {
            (0..=degree).map(|k| powers[k] * u.powi(k as i32)).sum()
        };
        for degree in 0..4 {
            let memory = (0..=degree).rev().fold(History::default(), |past, i| {
                let at = f64_tensor(&[value(degree, -(i as f64))], [1, 1, 1, 1]);
                past.with(&step, at, AVERAGED)
            });
            let expected = f64_tensor(&[integral(degree)], [1, 1, 1, 1]);
            assert_close(&adams_bashforth(&memory), &expected, 1e-13);
        }
    }
}
