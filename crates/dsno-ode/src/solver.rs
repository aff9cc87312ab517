//! How to take one step of the probability-flow ODE: every solver, its options and its formulas.
//!
//! A solver is a formula for one interval `t → s`; the loop over a grid, the recording and the
//! counting are in [`solve`](crate::solve()). One file per solver, or per family that differs in its
//! coefficients alone.
//!
//! | solver                  | order   | calls per step | name in files                        |
//! |-------------------------|---------|----------------|--------------------------------------|
//! | [`Ddim`]                | 1       | 1              | `ddim`                               |
//! | [`Euler`]               | 1       | 1              | `euler`                              |
//! | [`Heun`]                | 2       | 2              | `heun`                               |
//! | [`Rk4`]                 | 4       | 4              | `rk4`                                |
//! | [`DpmSolverSinglestep`] | 1, 2, 3 | the order      | `dpm-solver-2`, `dpm-solver++-2s`, … |
//! | [`DpmSolverFast`]       | 3       | 1 to 3         |                                      |
//! | [`DpmSolverMultistep`]  | 1, 2, 3 | 1              | `dpm-solver-2m`, `dpm-solver++-2m`, … |
//! | [`UniPc`]               | 2, 3, 4 | 1              | `unipc-2-bh2`, …                     |
//! | [`Deis`]                | 1, 2, 3 | 1              | `deis-2-log-rho`, …                  |
//! | [`Plms`]                | 2       | 1              | `plms`                               |
//! | [`Pndm`]                | 2       | 1, first 4     | `pndm`                               |
//! | [`StochasticDdim`]      | 1       | 1              |                                      |
//! | [`StochasticHeun`]      | 2       | 2              |                                      |
//!
//! [`SolverKind`](crate::SolverKind) builds those that have a name in files. The adaptive
//! [`Dopri5`](crate::adaptive::Dopri5) needs no grid and is no [`Solver`].
//!
//! # Options
//!
//! Options are public fields: `new` takes what has no usual value and sets the published one
//! everywhere else, and `X { option, ..X::new(…) }` changes it. Numbers that have to be checked are
//! private and go through a constructor that returns [`SolverOptionError`].

mod algorithm_type;
mod churn;
mod ddim;
mod deis;
mod dpm_solver_multistep;
mod dpm_solver_singlestep;
mod exponential;
mod history;
mod lower_order_final;
mod noise_source;
mod plms;
mod pndm;
mod runge_kutta;
mod stochastic_ddim;
mod stochastic_heun;
#[cfg(test)]
mod test_multistep;
#[cfg(test)]
mod test_steps;
mod uni_pc;

pub use algorithm_type::{AlgorithmType, SolverOrder, SolverType};
pub use churn::Churn;
pub use ddim::{Ddim, ddim_step};
pub use deis::{Deis, DeisVariable};
pub use dpm_solver_multistep::{DpmSolverMultistep, ThirdOrder};
pub use dpm_solver_singlestep::{
    DpmSolverFast, DpmSolverSinglestep, SinglestepNodes, dpm_solver_step,
};
pub use history::History;
pub use lower_order_final::LowerOrderFinal;
pub use noise_source::NoiseSource;
pub use plms::Plms;
pub use pndm::{Pndm, PndmMidpoint};
pub use runge_kutta::{Euler, Heun, Rk4, ode_derivative};
pub use stochastic_ddim::StochasticDdim;
pub use stochastic_heun::StochasticHeun;
pub use uni_pc::{UniPc, UniPcMemory, UniPcVariant};

use burn::tensor::Tensor;

use crate::{Denoiser, GridError, NoiseLevel, Step};

/// What a step gives: the state at its end and the solver's memory, or why it could not be taken.
pub type Stepped<Memory> = Result<(Tensor<4>, Memory), StepError>;

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
/// use dsno_ode::solver::ddim_step;
/// use dsno_ode::{Denoiser, Solver, Step, StepError};
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
    type Memory: Clone + Default;

    /// Returns the name by which files and reports call this solver, with its options.
    fn name(&self) -> String;

    /// Returns the order `p` of the global error, `O(hᵖ)` in the step `h`.
    fn order(&self) -> usize;

    /// Returns the exact number of model calls that this step costs: 1, unless a method overrides it.
    fn calls(&self, step: &Step<'_>) -> usize {
        let _ = step;
        1
    }

    /// Returns the memory before the first step.
    fn start(&self) -> Self::Memory {
        Self::Memory::default()
    }

    /// Moves `z_t` across the interval `step`.
    ///
    /// # Shapes
    ///
    /// `z_t` and the returned state are `[B, C, H, W]`, in pixel units.
    ///
    /// # Errors
    ///
    /// * [`StepError::NoiselessStart`] if the method cannot start because `σ_t = 0`.
    /// * [`StepError::ShapeMismatch`] if the prediction has another shape than the state.
    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: Self::Memory,
    ) -> Stepped<Self::Memory>;
}

/// Calls the model and refuses a prediction that cannot be used in a step from here.
pub(crate) fn predict(
    model: &dyn Denoiser,
    z_t: &Tensor<4>,
    at: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    check_start(at)?;
    let x_hat = model.denoise(z_t.clone(), at);
    same_shape(z_t, &x_hat)?;
    Ok(x_hat)
}

/// Refuses a level without noise, where the noise in a state is unknown.
pub(crate) fn check_start(at: NoiseLevel) -> Result<(), StepError> {
    let (sigma, log_snr) = (at.sigma(), at.log_snr());
    if sigma < SMALLEST_SIGMA {
        Err(StepError::NoiselessStart { sigma, log_snr })
    } else {
        Ok(())
    }
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
    /// A noise source returned another shape than that of the state.
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

/// Why the numbers given for a solver do not describe one.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolverOptionError {
    /// The share of fresh noise is not a share.
    #[error("stochastic DDIM has eta {eta}, expected a number in [0, 1]")]
    Eta {
        /// The value given.
        eta: f64,
    },
    /// The amount of churn is negative or not finite.
    #[error("churn is {amount}, expected a finite number of at least 0")]
    ChurnAmount {
        /// The value given.
        amount: f64,
    },
    /// The range of noise in which churn acts is reversed, negative or NaN.
    #[error("churn acts between sigma {min} and {max}, expected 0 <= min <= max")]
    ChurnRange {
        /// Lower end, in `σ/α`.
        min: f64,
        /// Upper end, in `σ/α`.
        max: f64,
    },
    /// The standard deviation of churn's noise is not positive and finite.
    #[error("churn's noise has standard deviation {std}, expected a positive finite number")]
    ChurnNoise {
        /// The value given.
        std: f64,
    },
    /// The inner nodes of a single-step method do not lie inside the step, in order.
    #[error("inner nodes are {r1} and {r2}, expected 0 < r1 < r2 < 1")]
    InnerNodes {
        /// First node, as a fraction of the step in `λ`.
        r1: f64,
        /// Second node; 1 for a method that has only one.
        r2: f64,
    },
    /// A plan has no step.
    #[error("a plan of single steps needs at least one model call")]
    EmptyPlan,
    /// The ends of a plan do not have finite levels of falling noise.
    #[error(
        "a plan runs from log-SNR {from} to {to}, expected two finite numbers, the second larger; \
         end at a small time where the schedule has no noise at 0"
    )]
    PlanEnds {
        /// `λ` at the start, in nats.
        from: f64,
        /// `λ` at the end, in nats.
        to: f64,
    },
    /// The times of a plan are not a grid.
    #[error("the times of the plan are not a grid: {cause}")]
    PlanGrid {
        /// What is wrong with them.
        cause: GridError,
    },
    /// The orders of a plan do not use up the intervals of its grid.
    #[error("the orders of the plan take {calls} grid intervals, expected all {intervals}")]
    PlanLength {
        /// Sum of the model calls of the orders.
        calls: usize,
        /// Intervals of the grid.
        intervals: usize,
    },
    /// A step of several model calls has no noise at its end, where it has no inner levels.
    #[error(
        "step {step} of the plan has {calls} model calls and ends without noise, expected order 1 \
         there"
    )]
    PlanEndsWithoutNoise {
        /// Number of the step, from 1.
        step: usize,
        /// Model calls of its order.
        calls: usize,
    },
}
