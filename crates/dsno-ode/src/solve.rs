//! The one driver: walks a grid with a solver, records states and counts model calls.

use std::cell::Cell;

use burn::tensor::Tensor;

use crate::{Amplitudes, Denoiser, Schedule, Solver, StepError, TimeGrid};

/// Solves the probability-flow ODE over a grid and returns the states at the recorded times.
///
/// The state starts as `z_1` at the grid's first time and moves through every time of the grid,
/// whatever is recorded.
/// Each state is checked for NaN and infinity, which waits for the device once per step.
///
/// # Shapes
///
/// | value                | shape             | range and unit                                     |
/// |----------------------|-------------------|----------------------------------------------------|
/// | `z_1`                | `[B, C, H, W]`    | state at the first grid time; normal noise at `t = 1` |
/// | `record`             | any number        | times of the grid, each within `1e-12`, any order  |
/// | [`Solution::states`] | `[B, C, H, W]` each | one per entry of `record`, in its order          |
///
/// Recording the first grid time gives `z_1` itself. A state at `t > 0` is a noisy state in pixel
/// units; the one at `t = 0` is the sample.
///
/// # Errors
///
/// * [`SolveError::RecordNotOnGrid`] if a recorded time is not on the grid; the model is not called.
/// * [`SolveError::NonFiniteStart`] if `z_1` holds NaN or infinity.
/// * [`SolveError::NonFinite`] if a state after a step does.
/// * [`SolveError::Step`] if the solver cannot take a step, with the [`StepError`] as its cause.
///
/// # Examples
///
/// Images that are standard normal: the flow leaves every state where it is.
///
/// ```
/// use burn::tensor::{Device, Tensor, Tolerance};
/// use dsno_ode::{CosineSchedule, Ddim, TimeGrid, from_fn, solve};
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::full([1, 1, 2, 2], 0.7, &Device::flex());
/// let grid = TimeGrid::uniform(1024)?;
/// let schedule = CosineSchedule::default();
///
/// let solution = solve(&model, &Ddim, &schedule, &grid, z_1.clone(), &[1.0, 0.5, 0.0])?;
/// assert_eq!(solution.model_calls, 1024);
/// assert_eq!(solution.states.len(), 3);
/// let end = solution.states[2].to_data();
/// end.assert_approx_eq::<f32>(&z_1.to_data(), Tolerance::relative(2e-3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve<S: Solver>(
    model: &dyn Denoiser,
    solver: &S,
    schedule: &dyn Schedule,
    grid: &TimeGrid,
    z_1: Tensor<4>,
    record: &[f64],
) -> Result<Solution, SolveError> {
    let slots = slots(grid, record)?;
    if !is_finite(&z_1) {
        return Err(SolveError::NonFiniteStart { t: grid.times()[0] });
    }

    let model = Counted {
        model,
        calls: Cell::new(0),
    };
    let mut kept: Vec<Option<Tensor<4>>> = vec![None; grid.times().len()];
    let mut keep = |index: usize, state: &Tensor<4>| {
        if slots.contains(&index) {
            kept[index] = Some(state.clone());
        }
    };

    let mut state = z_1;
    let mut memory = solver.start();
    keep(0, &state);
    for (index, pair) in grid.times().windows(2).enumerate() {
        let (t, s) = (pair[0], pair[1]);
        let (from, to) = (schedule.at(t), schedule.at(s));
        let step = index + 1;
        (state, memory) = solver
            .step(&model, state, from, to, memory)
            .map_err(|cause| SolveError::Step {
                step,
                t,
                log_snr: from.log_snr(),
                cause,
            })?;
        if !is_finite(&state) {
            return Err(SolveError::NonFinite {
                step,
                t: s,
                log_snr: to.log_snr(),
            });
        }
        keep(step, &state);
    }

    let states = slots
        .iter()
        .filter_map(|&index| kept[index].clone())
        .collect();
    Ok(Solution {
        states,
        model_calls: model.calls.get(),
    })
}

/// The recorded states of a solve and what they cost.
#[derive(Debug, Clone)]
pub struct Solution {
    /// One state `[B, C, H, W]` per recorded time, in the order in which they were asked for.
    pub states: Vec<Tensor<4>>,
    /// Number of model calls, each on the whole batch.
    pub model_calls: usize,
}

impl Solution {
    /// Stacks the states along a time axis.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                    |
    /// |----------|-------------------|-----------------------------------|
    /// | returned | `[B, T, C, H, W]` | pixel units; `T` recorded times   |
    ///
    /// # Panics
    ///
    /// If nothing was recorded.
    pub fn into_trajectory(self) -> Tensor<5> {
        Tensor::stack(self.states, 1)
    }
}

/// Why a solve stopped.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A recorded time is not among the times the solver visits.
    #[error(
        "time {time} is to be recorded but is not on the solver's grid; the nearest grid time is \
         {nearest}: record that one, or choose a grid that contains {time}"
    )]
    RecordNotOnGrid {
        /// The time asked for.
        time: f64,
        /// The grid time closest to it.
        nearest: f64,
    },
    /// The state given to start from is not finite.
    #[error("the state given for time {t} holds NaN or infinity")]
    NonFiniteStart {
        /// First time of the grid.
        t: f64,
    },
    /// A step led to a state that is not finite.
    #[error(
        "step {step} led to NaN or infinity at time {t} (log-SNR {log_snr}): the model's prediction \
         is not finite, or its values grow beyond the tensor's number type"
    )]
    NonFinite {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the end of the step.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
    },
    /// The solver could not take a step.
    #[error("step {step} from time {t} (log-SNR {log_snr}) failed: {cause}")]
    Step {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the start of the step.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
        /// What the solver found.
        cause: StepError,
    },
}

/// Finds the grid position of each recorded time.
fn slots(grid: &TimeGrid, record: &[f64]) -> Result<Vec<usize>, SolveError> {
    let nearest = |time: f64| {
        let distance = |t: &f64| (t - time).abs();
        let closest = |a: &f64, b: &f64| distance(a).total_cmp(&distance(b));
        grid.times()
            .iter()
            .copied()
            .min_by(closest)
            .unwrap_or(f64::NAN)
    };
    let slot = |&time: &f64| {
        grid.position(time)
            .ok_or_else(|| SolveError::RecordNotOnGrid {
                time,
                nearest: nearest(time),
            })
    };
    record.iter().map(slot).collect()
}

fn is_finite(state: &Tensor<4>) -> bool {
    state.clone().is_finite().all().into_scalar::<bool>()
}

/// Counts what the solver asks of the model, so that the cost is measured and not assumed.
struct Counted<'a> {
    model: &'a dyn Denoiser,
    calls: Cell<usize>,
}

impl Denoiser for Counted<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: Amplitudes) -> Tensor<4> {
        self.calls.set(self.calls.get() + 1);
        self.model.denoise(z_t, at)
    }
}

#[cfg(test)]
mod tests;
