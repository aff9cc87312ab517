//! The one driver: walks a grid with a solver, records states and counts model calls.

mod error;
mod solution;

pub use error::{AdaptiveError, SolveError};
pub use solution::{Recorded, Solution, StepReport};

use std::cell::Cell;

use burn::tensor::Tensor;

use crate::{Denoiser, NoiseLevel, Schedule, Solver, Step, TimeGrid};

/// Solves the probability-flow ODE over a grid and returns the states at the recorded times.
///
/// The state starts as `z_1` at the grid's first time and moves through every time of the grid,
/// whatever is recorded. A recorded time that is on the grid is the solver's own state there. One
/// between two grid times is reached by a shorter step of the same solver from the grid time before
/// it, with the same memory; the solve itself goes on undisturbed, and the extra model calls are
/// counted. Each state is checked for NaN and infinity, which waits for the device once per step.
///
/// # Shapes
///
/// | value                | shape             | range and unit                                     |
/// |----------------------|-------------------|----------------------------------------------------|
/// | `z_1`                | `[B, C, H, W]`    | state at the first grid time; normal noise at `t = 1` |
/// | `record`             | any number        | times between the ends of the grid, any order      |
/// | [`Solution::states`] | `[B, C, H, W]` each | one per entry of `record`, in its order          |
///
/// Recording the first grid time gives `z_1` itself. A state at `t > 0` is a noisy state in pixel
/// units; the one at `t = 0` is the sample. Times within `1e-12` of a grid time are that grid time.
///
/// # Errors
///
/// * [`SolveError::RecordOutsideGrid`] if a recorded time is before the first or after the last
///   grid time; the model is not called.
/// * [`SolveError::LevelNotIncreasing`] if `λ` does not grow from one grid time to the next; the
///   model is not called.
/// * [`SolveError::NonFiniteStart`] if `z_1` holds NaN or infinity.
/// * [`SolveError::NonFinite`] if a state after a step does.
/// * [`SolveError::Step`] if the solver cannot take a step, with the [`StepError`](crate::StepError) as its cause.
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
    let mut kept: Vec<Option<Tensor<4>>> = vec![None; record.len()];
    let mut keep = |recorded: Recorded| kept[recorded.index] = Some(recorded.state);
    let steps = solve_each(model, solver, schedule, grid, z_1, record, &mut keep)?;
    Ok(Solution::new(kept.into_iter().flatten().collect(), steps))
}

/// Solves as [`solve`] does and hands each recorded state to `keep` as soon as it is reached.
///
/// Nothing is held back, so that memory does not grow with the number of recorded times. States
/// come in order of falling time; [`Recorded::index`] says which entry of `record` it is.
///
/// # Errors
///
/// Those of [`solve`]; states that were handed over before the error are valid.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, Ddim, Recorded, TimeGrid, from_fn, solve_each};
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let grid = TimeGrid::uniform(8)?;
/// let mut times = Vec::new();
/// let mut keep = |recorded: Recorded| times.push(recorded.time);
/// let schedule = CosineSchedule::default();
/// let steps = solve_each(&model, &Ddim, &schedule, &grid, z_1, &[0.0, 0.3, 1.0], &mut keep)?;
///
/// assert_eq!(times, [1.0, 0.3, 0.0]);
/// assert_eq!(steps.len(), 8);
/// assert_eq!(steps.iter().map(|step| step.model_calls).sum::<usize>(), 8 + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve_each<S: Solver>(
    model: &dyn Denoiser,
    solver: &S,
    schedule: &dyn Schedule,
    grid: &TimeGrid,
    z_1: Tensor<4>,
    record: &[f64],
    keep: &mut dyn FnMut(Recorded),
) -> Result<Vec<StepReport>, SolveError> {
    let places = places(grid, record)?;
    check_levels(schedule, grid)?;
    if !is_finite(&z_1) {
        return Err(SolveError::NonFiniteStart { t: grid.times()[0] });
    }
    let mut keep_at = |place: Place, state: &Tensor<4>| {
        for index in places_equal(&places, place) {
            keep(Recorded {
                index,
                time: record[index],
                state: state.clone(),
            });
        }
    };

    let model = Counted::new(model);
    let mut reports = Vec::with_capacity(grid.steps());
    let mut state = z_1;
    let mut memory = solver.start();
    keep_at(Place::On(0), &state);
    for step in Step::all(schedule, grid) {
        let index = step.index();
        for time in times_inside(&places, index) {
            let part = step.until(time);
            let (inside, _) = take(solver, &model, state.clone(), &part, memory.clone())?;
            keep_at(Place::Inside { step: index, time }, &inside);
        }
        (state, memory) = take(solver, &model, state, &step, memory)?;
        reports.push(StepReport {
            t: step.t(),
            s: step.s(),
            from_log_snr: step.from().log_snr(),
            to_log_snr: step.to().log_snr(),
            model_calls: model.take(),
            rejected: 0,
            error: None,
        });
        keep_at(Place::On(index + 1), &state);
    }
    Ok(reports)
}

/// Returns the exact number of model calls of a solve, without calling the model.
///
/// Recorded times between grid times cost a step of their own, each of them once.
///
/// # Errors
///
/// [`SolveError::RecordOutsideGrid`] as in [`solve`].
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Ddim, TimeGrid, planned_calls};
///
/// let (schedule, grid) = (CosineSchedule::default(), TimeGrid::uniform(8)?);
/// assert_eq!(planned_calls(&Ddim, &schedule, &grid, &[1.0, 0.5, 0.3, 0.0])?, 8 + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn planned_calls<S: Solver>(
    solver: &S,
    schedule: &dyn Schedule,
    grid: &TimeGrid,
    record: &[f64],
) -> Result<usize, SolveError> {
    let places = places(grid, record)?;
    let calls = |step: Step<'_>| {
        let inside = times_inside(&places, step.index()).into_iter();
        let extra: usize = inside.map(|time| solver.calls(&step.until(time))).sum();
        solver.calls(&step) + extra
    };
    Ok(Step::all(schedule, grid).map(calls).sum())
}

/// Where a recorded time lies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// At this position of the grid.
    On(usize),
    /// Inside the step with this index.
    Inside { step: usize, time: f64 },
}

/// Finds the place of each recorded time.
fn places(grid: &TimeGrid, record: &[f64]) -> Result<Vec<Place>, SolveError> {
    let times = grid.times();
    let place = |&time: &f64| {
        let inside = || {
            let step = times.windows(2).position(|p| p[0] > time && time > p[1])?;
            Some(Place::Inside { step, time })
        };
        let found = grid.position(time).map(Place::On).or_else(inside);
        found.ok_or(SolveError::RecordOutsideGrid {
            time,
            first: times[0],
            last: times[grid.steps()],
        })
    };
    record.iter().map(place).collect()
}

/// Returns the positions in the record of all times at `place`.
fn places_equal(places: &[Place], place: Place) -> impl Iterator<Item = usize> + '_ {
    let same = move |(index, &found): (usize, &Place)| (found == place).then_some(index);
    places.iter().enumerate().filter_map(same)
}

/// Returns the different recorded times inside a step, largest first.
fn times_inside(places: &[Place], index: usize) -> Vec<f64> {
    let inside = |place: &Place| match *place {
        Place::Inside { step, time } if step == index => Some(time),
        _ => None,
    };
    let mut times: Vec<f64> = places.iter().filter_map(inside).collect();
    times.sort_by(|a, b| b.total_cmp(a));
    times.dedup();
    times
}

/// Takes one step and checks where it led.
fn take<S: Solver>(
    solver: &S,
    model: &dyn Denoiser,
    state: Tensor<4>,
    step: &Step<'_>,
    memory: S::Memory,
) -> Result<(Tensor<4>, S::Memory), SolveError> {
    let number = step.index() + 1;
    let failed = |cause| SolveError::Step {
        step: number,
        t: step.t(),
        log_snr: step.from().log_snr(),
        cause,
    };
    let (state, memory) = solver.step(model, state, step, memory).map_err(failed)?;
    if is_finite(&state) {
        return Ok((state, memory));
    }
    Err(SolveError::NonFinite {
        step: number,
        t: step.s(),
        log_snr: step.to().log_snr(),
    })
}

/// Checks that noise falls along the grid, NaN included.
fn check_levels(schedule: &dyn Schedule, grid: &TimeGrid) -> Result<(), SolveError> {
    for pair in grid.times().windows(2) {
        let (previous, log_snr) = (schedule.log_snr(pair[0]), schedule.log_snr(pair[1]));
        // Not `log_snr <= previous`: NaN must not pass.
        let grows = log_snr > previous;
        if !grows {
            return Err(SolveError::LevelNotIncreasing {
                t: pair[1],
                log_snr,
                previous,
            });
        }
    }
    Ok(())
}

pub(crate) fn is_finite(state: &Tensor<4>) -> bool {
    state.clone().is_finite().all().into_scalar::<bool>()
}

/// Counts the model calls, so that the cost is measured and not assumed.
pub(crate) struct Counted<'a> {
    model: &'a dyn Denoiser,
    calls: Cell<usize>,
}

impl<'a> Counted<'a> {
    pub(crate) const fn new(model: &'a dyn Denoiser) -> Self {
        Self {
            model,
            calls: Cell::new(0),
        }
    }

    /// Returns the calls since the last time this was called.
    pub(crate) fn take(&self) -> usize {
        self.calls.take()
    }
}
impl Denoiser for Counted<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        self.calls.set(self.calls.get() + 1);
        self.model.denoise(z_t, at)
    }
}

#[cfg(test)]
mod tests;
