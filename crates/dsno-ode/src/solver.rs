//! How to take one step of the probability-flow ODE.
//!
//! A solver is a formula for one interval `t → s`; the loop over a grid, the recording and the
//! counting are in [`solve`](crate::solve). One file per solver.

mod churn;
mod churned_heun;
mod ddim;
mod deis;
mod dpm_multistep;
mod dpm_singlestep;
mod euler;
mod exponential;
mod final_order;
mod form;
mod heun;
mod history;
mod noise_source;
mod option_error;
mod plms;
mod pndm;
mod rk4;
mod state_rate;
mod stochastic_ddim;
#[cfg(test)]
mod test_multistep;
#[cfg(test)]
mod test_steps;
mod uni_pc;

pub use churn::Churn;
pub use churned_heun::ChurnedHeun;
pub use ddim::{Ddim, ddim_step};
pub use deis::{Deis, DeisVariable};
pub use dpm_multistep::{DpmMultistep, ThirdOrder};
pub use dpm_singlestep::{
    DpmSolverPlanned, DpmSolverSinglestep, SinglestepPlan, Stages, dpm_solver_1_step,
    dpm_solver_2_step, dpm_solver_3_step,
};
pub use euler::Euler;
pub use final_order::{FinalOrder, SHORT_GRID};
pub use form::{Form, SecondOrder, SolverOrder};
pub use heun::Heun;
pub use history::History;
pub use noise_source::NoiseSource;
pub use option_error::SolverOptionError;
pub use plms::Plms;
pub use pndm::{Middle, Pndm};
pub use rk4::Rk4;
pub use state_rate::state_rate;
pub use stochastic_ddim::StochasticDdim;
pub use uni_pc::{StepFunction, UniPc, UniPcMemory};

use burn::tensor::Tensor;

use crate::{Denoiser, NoiseLevel, Step};

/// Moves a batch of states across one interval of time.
///
/// A step is a pure function over an interval: what a multistep method remembers goes in and comes
/// out as a value of type [`Memory`](Self::Memory), so that a solver itself never changes and can be
/// shared, and a step can be taken twice, to two different ends.
///
/// # Examples
///
/// A solver that takes every interval in two DDIM steps, halving it in `λ`.
///
/// ```
/// use burn::tensor::Tensor;
/// use dsno_ode::{Denoiser, Solver, Step, StepError, ddim_step};
///
/// struct Halved;
///
/// impl Solver for Halved {
///     type Memory = ();
///
///     fn name(&self) -> String {
///         "halved-ddim".to_owned()
///     }
///
///     fn order(&self) -> usize {
///         1
///     }
///
///     fn calls(&self, _step: &Step<'_>) -> usize {
///         2
///     }
///
///     fn start(&self) {}
///
///     fn step(
///         &self,
///         model: &dyn Denoiser,
///         z_t: Tensor<4>,
///         step: &Step<'_>,
///         (): (),
///     ) -> Result<(Tensor<4>, ()), StepError> {
///         let middle = step.inside(0.5);
///         let x_hat = model.denoise(z_t.clone(), step.from());
///         let z_m = ddim_step(z_t, x_hat, step.from(), middle)?;
///         let x_hat = model.denoise(z_m.clone(), middle);
///         Ok((ddim_step(z_m, x_hat, middle, step.to())?, ()))
///     }
/// }
///
/// assert_eq!(Halved.order(), 1);
/// ```
pub trait Solver {
    /// What a step hands to the next one: earlier predictions, or `()`.
    type Memory: Clone;

    /// Returns the name by which files and reports call this solver, with its options.
    fn name(&self) -> String;

    /// Returns the order `p` of the global error, `O(hᵖ)` in the step `h`.
    fn order(&self) -> usize;

    /// Returns the exact number of model calls that this step costs.
    fn calls(&self, step: &Step<'_>) -> usize;

    /// Returns the memory before the first step.
    fn start(&self) -> Self::Memory;

    /// Moves `z_t` across the interval `step`.
    ///
    /// # Shapes
    ///
    /// `z_t` and the returned state are `[B, C, H, W]`, in pixel units.
    ///
    /// # Errors
    ///
    /// * [`StepError::NoiselessStart`] if the method cannot start because `σ_t = 0`.
    /// * [`StepError::ShapeMismatch`] if the model answers with another shape than it was given.
    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: Self::Memory,
    ) -> Result<(Tensor<4>, Self::Memory), StepError>;
}

/// Calls the model and refuses an answer that cannot be used in a step from here.
pub(crate) fn predict(
    model: &dyn Denoiser,
    z_t: &Tensor<4>,
    at: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    if at.sigma() < SMALLEST_SIGMA {
        return Err(StepError::NoiselessStart {
            sigma: at.sigma(),
            log_snr: at.log_snr(),
        });
    }
    let x_hat = model.denoise(z_t.clone(), at);
    same_shape(z_t, &x_hat)?;
    Ok(x_hat)
}

/// Refuses a prediction that would be broadcast.
pub(crate) fn same_shape(z_t: &Tensor<4>, x_hat: &Tensor<4>) -> Result<(), StepError> {
    if z_t.dims() == x_hat.dims() {
        return Ok(());
    }
    Err(StepError::ShapeMismatch {
        state: z_t.dims(),
        prediction: x_hat.dims(),
    })
}

/// Below this `σ`, `ε̂` is rounding error.
pub(crate) const SMALLEST_SIGMA: f64 = 1e-12;

/// Why a single step could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The step starts where there is no noise, so the noise in the state is 0/0.
    #[error(
        "a step cannot start from a state without noise: σ is {sigma:e} at log-SNR {log_snr}, \
         expected at least 1e-12; start the grid at a noisier time"
    )]
    NoiselessStart {
        /// `σ` at the start of the step.
        sigma: f64,
        /// `λ` at the start of the step, in nats.
        log_snr: f64,
    },
    /// The model's prediction does not have the shape of the state.
    #[error(
        "the model predicts shape {prediction:?} for a state of shape {state:?}, expected the same"
    )]
    ShapeMismatch {
        /// `[B, C, H, W]` of the state.
        state: [usize; 4],
        /// `[B, C, H, W]` of the prediction.
        prediction: [usize; 4],
    },
    /// A noise source answered with another shape than it was asked for.
    #[error(
        "the noise source gives shape {noise:?} for a state of shape {state:?}, expected the same"
    )]
    NoiseShape {
        /// `[B, C, H, W]` of the state.
        state: [usize; 4],
        /// `[B, C, H, W]` of the noise.
        noise: [usize; 4],
    },
    /// A step was to start at more noise than the schedule has.
    #[error(
        "noise was to be raised to log-SNR {log_snr}, which the schedule does not reach; lower the \
         largest sigma at which noise is added"
    )]
    BeyondSchedule {
        /// `λ` after noise is added, in nats.
        log_snr: f64,
    },
    /// A solver that was planned for one grid met a step of another.
    #[error(
        "step {step} from time {t} is not in the plan of {planned_steps} steps, expected a solve over \
         the plan's own grid"
    )]
    NotInPlan {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the start of the step.
        t: f64,
        /// Steps of the plan.
        planned_steps: usize,
    },
}
