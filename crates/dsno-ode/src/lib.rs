//! The teacher's side of operator learning: the ODE that turns noise into images, and its solvers.
//!
//! A diffusion model defines a probability-flow ODE whose solution moves noise at time `t = 1` to an
//! image at `t = 0`. This crate solves it on [burn](https://burn.dev) tensors and records the states
//! on the way. It knows no network: a model is anything that predicts the clean image.
//!
//! # The parts
//!
//! Small parts are chosen independently, and one driver joins them.
//!
//! | question                          | module       | parts                                                   |
//! |-----------------------------------|--------------|---------------------------------------------------------|
//! | how much noise is there at `t`?   | [`schedule`] | [`Schedule`]: [`CosineSchedule`], [`LinearBetaSchedule`], [`DiscreteSchedule`], [`EdmSchedule`] |
//! | what does the model predict?      | [`denoiser`] | [`Denoiser`], with [`Prediction`] for `x`, `ε`, `v` and the score |
//! | what is the network conditioned on? | [`denoiser`] | [`Conditioned`]: `λ`, `t`, `σ` or a table's index     |
//! | how is it guided?                 | [`denoiser`] | [`ClassifierFreeGuidance`], [`Clamped`], [`DynamicThreshold`] |
//! | which times are visited?          | [`grid`]     | [`TimeGrid`]: uniform in `t` or `λ`, Karras, a table's entries, any list |
//! | how is one step taken?            | [`solver`]   | [`Solver`]; all of them in the table of [`solver`]      |
//! | where does it start?              |              | [`initial_state`]: noise scaled to the schedule         |
//! | what is kept?                     |              | the `record` argument of [`solve`](solve()), giving [`Solution`] |
//!
//! Steps of a fixed grid fix the cost. [`solve_adaptive`] fixes the error instead: [`Dopri5`] in
//! [`adaptive`] chooses its steps to meet a tolerance and needs no grid. [`SolverKind`] is a solver by
//! its name in files. The root has what most programs need; the modules have the rest, options and
//! formulas of single steps included.
//!
//! # A first solve
//!
//! A program needs this crate and burn with a backend, nothing else:
//!
//! ```sh
//! cargo add dsno-ode --path …/crates/dsno-ode
//! cargo add burn@=0.22.1 --no-default-features --features std,flex    # or wgpu, cuda, …
//! ```
//!
//! The model is a closure; a network is called inside one in the same way. Here it is the exact
//! denoiser of images that are normal with standard deviation `s`, whose flow only scales the state:
//! from standard normal noise at `t = 1` to `s` times as much at `t = 0`.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use dsno_ode::{CosineSchedule, Ddim, TimeGrid, from_fn, solve};
//!
//! let s = 0.5;
//! let model = from_fn(|z_t, at| {
//!     let (alpha, sigma) = (at.alpha(), at.sigma());
//!     z_t * (alpha * s * s / (alpha * alpha * s * s + sigma * sigma))
//! });
//!
//! let z_1 = Tensor::<4>::ones([1, 3, 8, 8], &Device::flex());
//! let grid = TimeGrid::uniform(200)?;
//! let solution = solve(&model, &Ddim, &CosineSchedule::default(), &grid, z_1, &[1.0, 0.5, 0.0])?;
//!
//! let sample = solution.states[2].clone().mean().into_scalar::<f64>();
//! assert!((sample - s).abs() < 0.01);
//! assert_eq!(solution.model_calls, 200);
//! assert_eq!(solution.into_trajectory().dims(), [1, 3, 3, 8, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Conventions
//!
//! Time runs from `t = 1` (noise) to `t = 0` (data). A noise level is its log signal-to-noise ratio
//! `λ = ln(α²/σ²)` in nats, see [`NoiseLevel`]. A noisy state is `z_t = α x + σ ε`, [`add_noise`].
//! Images are `[B, C, H, W]` with pixels in `[-1, 1]`; trajectories are `[B, T, C, H, W]`. Times and
//! levels are `f64` on the host, states have the float type and device of the input.
//!
//! # Extending
//!
//! Implement [`Denoiser`] for a model, [`Schedule`] for a noise schedule, [`Solver`] for a method.
//! Nothing else needs to change; each trait's page has an example. Teachers with known answers, to
//! test against, are in [`analytic`].
//!
//! # Errors and panics
//!
//! Numbers that come from a user are checked where they enter ([`ScheduleError`], [`GridError`],
//! [`AnalyticError`](analytic::AnalyticError)), and a solve that cannot go on says at which step,
//! time and level ([`SolveError`]). Tensors of disagreeing shape passed to the elementary formulas
//! are bugs of the caller, and panic as in burn. The crate prints nothing, reads no environment and
//! chooses no device.

/// Implements `Debug` for a type that holds a closure or a trait object: the named fields, without it.
macro_rules! debug_without_closure {
    ($type:ident $(<$($closure:ident)? $($elided:lifetime)?>)? $(, $field:ident)*) => {
        impl<$($($closure)?)?> std::fmt::Debug for $type $(<$($closure)? $($elided)?>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut fields = f.debug_struct(stringify!($type));
                $(fields.field(stringify!($field), &self.$field);)*
                fields.finish_non_exhaustive()
            }
        }
    };
}

pub mod adaptive;
pub mod analytic;
pub mod denoiser;
pub mod grid;
pub mod schedule;
pub mod solver;

mod add_noise;
mod noise_level;
mod prediction;
mod solve;
mod solver_kind;
mod step;

#[cfg(test)]
mod test_support;

pub use adaptive::{Dopri5, solve_adaptive};
pub use add_noise::{add_noise, add_noise_with, initial_state};
pub use denoiser::{
    Clamped, ClassifierFreeGuidance, Conditioned, Conditioning, Denoiser, DynamicThreshold,
    clamp_prediction, from_fn,
};
pub use grid::{GridError, GridKind, TimeGrid};
pub use noise_level::NoiseLevel;
pub use prediction::Prediction;
pub use schedule::{
    CosineSchedule, DiscreteSchedule, EdmSchedule, LinearBetaSchedule, NoiseSchedule, Schedule,
    ScheduleError,
};
pub use solve::{Recorded, Solution, SolveError, StepReport, planned_calls, solve, solve_each};
pub use solver::{
    AlgorithmType, Ddim, Deis, DpmSolverFast, DpmSolverMultistep, DpmSolverSinglestep, Euler, Heun,
    Plms, Pndm, Rk4, Solver, SolverOrder, StepError, StochasticDdim, StochasticHeun, UniPc,
    ddim_step,
};
pub use solver_kind::{SolverKind, UnknownSolver};
pub use step::Step;
