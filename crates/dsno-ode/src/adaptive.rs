//! Steps that choose their own length to meet a tolerance.
//!
//! [`Dopri5`] holds the options and [`solve_adaptive`] is the driver, the counterpart of
//! [`solve`](crate::solve) without a grid. The length of the next step is in `control`, the ODE in
//! `flow`, one step with its coefficients in `attempt`, the loop and the first step in `integrate`.

mod attempt;
mod control;
mod flow;
mod integrate;

pub use control::StepControl;
pub use integrate::solve_adaptive_each;

use burn::tensor::{DType, Tensor};

pub use crate::solve::AdaptiveError;
use crate::solve::{Recorded, Solution, SolveError};
use crate::{Denoiser, Schedule};

/// The adaptive Dormand–Prince 5(4) method: seven stages, six model calls per step.
///
/// The state advances with the fifth-order result; its difference to the embedded fourth-order one
/// is the error estimate. The last stage of a step is the first of the next. Between the ends of a
/// step, states come from the pair's own fourth-order interpolation, at no model call.
///
/// # The variable
///
/// The flow is integrated in the angle between signal and noise, for every schedule and process:
///
/// ```text
/// φ = atan(σ/α)                        π/2 is noise, 0 is data
/// u = z_t/√(α² + σ²) = cos φ · x + sin φ · ε
/// du/dφ = v̂(u, φ) = cos φ · ε̂ − sin φ · x̂
/// ```
///
/// In `φ` the interval has length at most `π/2` and the right-hand side is of the size of an image
/// throughout. In `λ` the two ends are most of the interval though nothing moves there, and in time
/// `dσ/dt` may be infinite (linear-β at `t = 0`). Steps do not depend on how a schedule spends its
/// time, only on its two ends.
///
/// # Error
///
/// ```text
/// err = max over the batch of  rms( e/(atol + rtol · max(|u_before|, |u_after|)) )     e = h Σ (b_i − b̂_i) v̂_i
/// ```
///
/// The maximum lets no sample hide behind the others; as its price, the steps of a sample depend on
/// what else is in its batch. `u` is in pixel units where variance is preserved. A variance-exploding
/// state is held to the tolerance relative to `√(1 + σ²)`.
///
/// The tolerance bounds the error of a step, not that of the solve: on the Gaussian mixture of the
/// tests the final state is within 10 and every interpolated state within 40 tolerances of the exact
/// flow, for tolerances from 1e-3 to 1e-10.
///
/// # The noiseless end
///
/// At `σ = 0` the velocity is 0/0. Below `sin φ = sigma_min` the rest is therefore one step with
/// the last `x̂` and `ε̂`, which the last stage already holds:
///
/// ```text
/// u(φ) = cos φ · x̂ + sin φ · ε̂        error below ½ sigma_min² |dv̂/dφ|
/// ```
///
/// Dormand and Prince 1980, *A family of embedded Runge–Kutta formulae*; dense output, first step and
/// step control of Hairer, Nørsett and Wanner 1993, *Solving Ordinary Differential Equations I*,
/// sections II.4 and II.6, with the constants of their program DOPRI5.
///
/// # Examples
///
/// ```
/// use dsno_ode::Dopri5;
///
/// let method = Dopri5 { max_steps: 500, ..Dopri5::with_tolerance(1e-6) };
/// assert_eq!((method.rtol, method.atol), (1e-6, 1e-6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dopri5 {
    /// Relative tolerance, at least 0.
    pub rtol: f64,
    /// Absolute tolerance in pixel units, more than 0.
    pub atol: f64,
    /// Largest number of steps, rejected ones included.
    pub max_steps: usize,
    /// Length of the first step in radians; none means that it is found, with one model call.
    pub first_step: Option<f64>,
    /// `sin φ` from which a solve to `σ = 0` takes the rest in one step, in `[1e-9, 1)`.
    pub sigma_min: f64,
    /// How the length of a step follows from the errors.
    pub control: StepControl,
}

impl Default for Dopri5 {
    /// Makes the method with tolerance `1e-5`, at most 10 000 steps and `sigma_min = 1e-6`.
    fn default() -> Self {
        Self {
            rtol: 1e-5,
            atol: 1e-5,
            max_steps: 10_000,
            first_step: None,
            sigma_min: 1e-6,
            control: StepControl::default(),
        }
    }
}

impl Dopri5 {
    /// Makes the method with `tolerance` as its relative and its absolute tolerance.
    pub fn with_tolerance(tolerance: f64) -> Self {
        Self {
            rtol: tolerance,
            atol: tolerance,
            ..Self::default()
        }
    }

    /// Checks the options for states of the given number type.
    fn check(&self, dtype: DType) -> Result<(), AdaptiveError> {
        let first_step = self.first_step.unwrap_or(1.0);
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let rtol = self.rtol == 0.0 || positive(self.rtol);
        let sigma_min = (1e-9..1.0).contains(&self.sigma_min);
        let (above_0, below_1) = ("a finite number above 0", "at least 1e-9 and less than 1");
        check_options([
            ("rtol", self.rtol, rtol, "a finite number, at least 0"),
            ("atol", self.atol, positive(self.atol), above_0),
            ("max_steps", 0.0, self.max_steps > 0, "at least 1"),
            ("first_step", first_step, positive(first_step), above_0),
            ("sigma_min", self.sigma_min, sigma_min, below_1),
        ])?;
        self.control.check()?;
        let smallest = 10.0 * dtype.finfo().map_or(0.0, |numbers| numbers.epsilon);
        if self.rtol + self.atol < smallest {
            return Err(AdaptiveError::Tolerance {
                rtol: self.rtol,
                atol: self.atol,
                smallest,
            });
        }
        Ok(())
    }
}

/// Solves the probability-flow ODE from `span.0` down to `span.1` with steps that meet a tolerance.
///
/// Recorded times do not change the steps: states between the ends of a step are interpolated, at no
/// model call. Norms are reduced on the device, and the host waits for one number per step.
///
/// The solve costs one call at the start, one to find the first step (unless it is given) and six
/// per attempt. [`Solution::steps`] lists the accepted steps; each has its error estimate in units of
/// the tolerance and the number of attempts that were rejected before it.
///
/// # Shapes
///
/// | value                | shape               | range and unit                                 |
/// |----------------------|---------------------|------------------------------------------------|
/// | `z_1`                | `[B, C, H, W]`      | state at `span.0`, f32 or f64                  |
/// | `record`             | any number          | times between the ends of `span`, any order    |
/// | [`Solution::states`] | `[B, C, H, W]` each | one per entry of `record`, in its order        |
///
/// Times within `1e-12` of an end of the span are that end.
///
/// # Errors
///
/// * [`SolveError::Adaptive`] with [`AdaptiveError::Option`], [`AdaptiveError::Tolerance`] or
///   [`AdaptiveError::Span`] for arguments without a meaning; the model is not called.
/// * [`SolveError::Adaptive`] with [`AdaptiveError::StepTooSmall`] or [`AdaptiveError::TooManySteps`]
///   if the tolerance cannot be met.
/// * [`SolveError::RecordOutsideGrid`], [`SolveError::LevelNotIncreasing`],
///   [`SolveError::NonFiniteStart`], [`SolveError::NonFinite`] and [`SolveError::Step`] as for
///   [`solve`](crate::solve).
///
/// # Examples
///
/// Images that are normal with standard deviation `s`: the flow only scales the state.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use dsno_ode::{Dopri5, LinearBetaSchedule, from_fn, solve_adaptive};
///
/// let s = 0.5;
/// let model = from_fn(|z_t, at| {
///     let (alpha, sigma) = (at.alpha(), at.sigma());
///     z_t * (alpha * s * s / (alpha * alpha * s * s + sigma * sigma))
/// });
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], (&Device::flex(), DType::F64));
/// let (method, schedule) = (Dopri5::with_tolerance(1e-8), LinearBetaSchedule::default());
///
/// let solution = solve_adaptive(&model, &method, &schedule, (1.0, 0.0), z_1, &[1.0, 0.3, 0.0])?;
/// let start: f64 = s * s * (-10.05f64).exp() - (-10.05f64).exp_m1();
/// let sample = solution.states[2].clone().mean().into_scalar::<f64>();
/// assert!((sample - s / start.sqrt()).abs() < 1e-7);
/// assert!(solution.steps.iter().all(|step| step.error.is_none_or(|error| error <= 1.0)));
/// # Ok::<(), dsno_ode::SolveError>(())
/// ```
pub fn solve_adaptive(
    model: &dyn Denoiser,
    method: &Dopri5,
    schedule: &dyn Schedule,
    span: (f64, f64),
    z_1: Tensor<4>,
    record: &[f64],
) -> Result<Solution, SolveError> {
    let mut kept: Vec<Option<Tensor<4>>> = vec![None; record.len()];
    let mut keep = |recorded: Recorded| kept[recorded.index] = Some(recorded.state);
    let steps = solve_adaptive_each(model, method, schedule, span, z_1, record, &mut keep)?;
    Ok(Solution::new(kept.into_iter().flatten().collect(), steps))
}

/// An option's name, its value, whether that has a meaning, and which values have one.
type Checked = (&'static str, f64, bool, &'static str);

/// Refuses the first option whose value has no meaning.
fn check_options<const N: usize>(options: [Checked; N]) -> Result<(), AdaptiveError> {
    let wrong = options.into_iter().find(|&(_, _, good, _)| !good);
    wrong.map_or(Ok(()), |(option, value, _, expected)| {
        Err(AdaptiveError::Option {
            option,
            value,
            expected,
        })
    })
}

#[cfg(test)]
mod tests;
