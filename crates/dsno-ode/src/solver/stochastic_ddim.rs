use burn::tensor::Tensor;

use super::noise_source::noise_for;
use super::{NoiseSource, Solver, SolverOptionError, Stepped, predict};
use crate::{Denoiser, NoiseLevel, Step};

/// The stochastic sampler of DDIM: each step replaces part of the noise by fresh noise.
///
/// `η = 0` is [`Ddim`](crate::Ddim) bit for bit and never draws noise; `η = 1` is the ancestral
/// sampler of DDPM. It samples the same images as the ODE, but what it returns for a given `z_1`
/// depends on the noise as well, so it is no teacher for an operator.
///
/// ```text
/// σ_η = η σ_s √(1 − exp(λ_t − λ_s))                   fresh noise of the step
/// z_s = α_s x̂ + √(σ_s² − σ_η²) ε̂ + σ_η n              n from the noise source
/// ```
///
/// Song et al. 2021 (arXiv:2010.02502v4), Eq. 12 and 16. For a variance-preserving process `σ_η` is
/// their `η √((1−ᾱ_s)/(1−ᾱ_t)) √(1 − ᾱ_t/ᾱ_s)`; written in `λ` it is the posterior standard deviation
/// of every process of the form `z = α x + σ ε`. A state recorded between two grid times takes the
/// noise of its whole step: it has the right distribution, but is not a point of a longer walk.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, StochasticDdim, TimeGrid, from_fn, solve};
///
/// // The caller's own numbers: here the same value in every pixel, alternating in sign.
/// let source = |step: usize, like: &Tensor<4>| like.ones_like() * (-1.0f64).powi(step as i32);
/// let solver = StochasticDdim::new(1.0, source)?;
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let grid = TimeGrid::uniform(16)?;
/// let solution = solve(&model, &solver, &CosineSchedule::default(), &grid, z_1, &[0.0])?;
/// assert_eq!(solution.model_calls, 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StochasticDdim<N> {
    eta: f64,
    noise: N,
}

impl<N: NoiseSource> StochasticDdim<N> {
    /// Makes the sampler with the share `eta` of fresh noise, in `[0, 1]`.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::Eta`] if `eta` is not in `[0, 1]`, NaN included.
    pub fn new(eta: f64, noise: N) -> Result<Self, SolverOptionError> {
        if !(0.0..=1.0).contains(&eta) {
            return Err(SolverOptionError::Eta { eta });
        }
        Ok(Self { eta, noise })
    }

    /// Returns `η`.
    pub const fn eta(&self) -> f64 {
        self.eta
    }
}

impl<N: NoiseSource> Solver for StochasticDdim<N> {
    type Memory = ();

    fn name(&self) -> String {
        format!("stochastic-ddim(eta={})", self.eta)
    }

    /// First order in distribution; for `η = 0` of the state itself.
    fn order(&self) -> usize {
        1
    }

    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>, (): ()) -> Stepped<()> {
        let (from, to) = (step.from(), step.to());
        let x_hat = predict(model, &z_t, from)?;
        let (fresh, kept) = split_noise(self.eta, from, to);
        let keep = kept / from.sigma();
        let z_s = z_t.clone() * keep + x_hat * (to.alpha() - keep * from.alpha());
        if fresh > 0.0 {
            let noise = noise_for(&self.noise, step, &z_t)?;
            return Ok((z_s + noise * fresh, ()));
        }
        Ok((z_s, ()))
    }
}

/// Returns `(σ_η, √(σ_s² − σ_η²))`, the second exactly `σ_s` for `η = 0`.
fn split_noise(eta: f64, from: NoiseLevel, to: NoiseLevel) -> (f64, f64) {
    let replaceable = -(from.log_snr() - to.log_snr()).exp_m1();
    let fresh = eta * replaceable.sqrt();
    (
        to.sigma() * fresh,
        to.sigma() * (1.0 - fresh * fresh).sqrt(),
    )
}

debug_without_closure!(StochasticDdim<N>, eta);

#[cfg(test)]
mod tests;
