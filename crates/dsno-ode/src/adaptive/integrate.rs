//! The loop: finds the first step, attempts steps, judges them, records what lies in them.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::attempt::{Attempt, moved, worst};
use super::control::Controller;
use super::flow::{Flow, Place, circle};
use super::{AdaptiveError, Dopri5};
use crate::grid::SAME_TIME;
use crate::solve::{Recorded, SolveError, StepReport, is_finite};
use crate::{Denoiser, Prediction, Schedule, StepError, add_noise};

/// Solves as [`solve_adaptive`](super::solve_adaptive) does and hands each recorded state to `keep` as soon as it is reached.
///
/// States come in order of falling time; [`Recorded::index`] says which entry of `record` it is.
///
/// # Errors
///
/// Those of [`solve_adaptive`](super::solve_adaptive); states that were handed over before the error are valid.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, Dopri5, Recorded, from_fn};
/// use dsno_ode::adaptive::solve_adaptive_each;
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let mut times = Vec::new();
/// let mut keep = |recorded: Recorded| times.push(recorded.time);
/// let (method, schedule) = (Dopri5::default(), CosineSchedule::default());
/// solve_adaptive_each(&model, &method, &schedule, (1.0, 0.0), z_1, &[0.0, 0.3, 1.0], &mut keep)?;
/// assert_eq!(times, [1.0, 0.3, 0.0]);
/// # Ok::<(), dsno_ode::SolveError>(())
/// ```
pub fn solve_adaptive_each(
    model: &dyn Denoiser,
    method: &Dopri5,
    schedule: &dyn Schedule,
    span: (f64, f64),
    z_1: Tensor<4>,
    record: &[f64],
    keep: &mut dyn FnMut(Recorded),
) -> Result<Vec<StepReport>, SolveError> {
    method.check(z_1.dtype())?;
    let flow = Flow::new(model, schedule);
    let (start, end) = ends(&flow, span)?;
    let mut record = Record::new(&flow, (start, end), record, keep)?;
    if !is_finite(&z_1) {
        return Err(SolveError::NonFiniteStart { t: start.t });
    }
    record.pass(start, |_| z_1.clone());

    // Where the velocity can no longer be computed, or the end if it comes first.
    let last_angle = method.sigma_min.asin();
    let stop = if end.angle >= last_angle {
        end
    } else {
        flow.at_angle(last_angle)
    };
    let mut here = start;
    let mut state = flow.enter_circle(z_1, start);
    let mut velocity = flow
        .velocity(start, &state)
        .map_err(|cause| failed(1, start, cause))?;
    let mut size = match method.first_step {
        Some(size) => size,
        None => first_step(&flow, method, (start, stop), &state, &velocity)?,
    };
    let mut controller = Controller::new(method.control);
    let mut reports = Vec::new();
    let (mut attempts, mut rejected) = (0, 0);

    while here.angle > stop.angle {
        let step = reports.len() + 1;
        if attempts == method.max_steps {
            let (limit, Place { t, log_snr, .. }) = (method.max_steps, here);
            return Err(AdaptiveError::TooManySteps { limit, t, log_snr }.into());
        }
        if size < SMALLEST_STEP * here.angle {
            let Place { t, log_snr, .. } = here;
            return Err(AdaptiveError::StepTooSmall {
                step,
                t,
                log_snr,
                size,
            }
            .into());
        }
        // A rest that is hardly longer than the step is taken with it.
        let to = if STRETCH * size >= here.angle - stop.angle {
            stop
        } else {
            flow.at_angle(here.angle - size)
        };
        attempts += 1;
        let attempt = Attempt::new(&flow, method, (here, to), &state, &velocity)
            .map_err(|cause| failed(step, here, cause))?;
        let error = attempt.error.ok_or(non_finite(step, to))?;
        let verdict = controller.judge(here.angle - to.angle, error);
        size = verdict.size;
        if !verdict.accepted {
            rejected += 1;
            continue;
        }
        record.pass(to, |place| {
            let u = if place.angle > to.angle {
                attempt.inside(&state, (here, to), place)
            } else {
                attempt.state.clone()
            };
            flow.leave_circle(u, place)
        });
        reports.push(StepReport {
            rejected: std::mem::take(&mut rejected),
            error: Some(error),
            ..report(&flow, here, to)
        });
        (state, velocity) = attempt.end();
        here = to;
    }

    if here.angle > end.angle {
        let at = circle(here);
        let x_hat = Prediction::V.to_x(velocity.clone(), state.clone(), at);
        let eps_hat = Prediction::V.to_epsilon(velocity, state, at);
        let at_end = add_noise(x_hat.clone(), eps_hat.clone(), circle(end));
        if !is_finite(&at_end) {
            return Err(non_finite(reports.len() + 1, end));
        }
        record.pass(end, |place| {
            let u = add_noise(x_hat.clone(), eps_hat.clone(), circle(place));
            flow.leave_circle(u, place)
        });
        reports.push(report(&flow, here, end));
    }
    Ok(reports)
}

/// How much longer than the controller allows the last step may be.
const STRETCH: f64 = 1.01;
/// A step below this part of the angle is lost in the rounding of the angle.
const SMALLEST_STEP: f64 = 16.0 * f64::EPSILON;

/// Checks the times and the levels at both ends.
fn ends(flow: &Flow<'_>, (start, end): (f64, f64)) -> Result<(Place, Place), SolveError> {
    let falls = start <= 1.0 && start > end && end >= 0.0;
    if !falls {
        return Err(AdaptiveError::Span { start, end }.into());
    }
    let (start, end) = (flow.at_time(start), flow.at_time(end));
    let grows = end.log_snr > start.log_snr;
    if grows {
        return Ok((start, end));
    }
    Err(SolveError::LevelNotIncreasing {
        t: end.t,
        log_snr: end.log_snr,
        previous: start.log_snr,
    })
}

/// Finds a first step from the size of the state, its velocity and the change of the velocity.
///
/// Hairer, Nørsett and Wanner 1993, section II.4, "Starting step size"; one model call.
fn first_step(
    flow: &Flow<'_>,
    method: &Dopri5,
    (start, stop): (Place, Place),
    state: &Tensor<4>,
    velocity: &Tensor<4>,
) -> Result<f64, SolveError> {
    let longest = start.angle - stop.angle;
    if longest <= 0.0 {
        return Ok(1.0);
    }
    let unit = state.clone().abs() * method.rtol + method.atol;
    let size_of =
        |value: Tensor<4>, at: Place| worst(value / unit.clone(), state).ok_or(non_finite(1, at));
    let state_size = size_of(state.clone(), start)?;
    let speed = size_of(velocity.clone(), start)?;
    let trial = if state_size < 1e-5 || speed < 1e-5 {
        1e-6
    } else {
        0.01 * state_size / speed
    };
    let trial = trial.min(longest);
    let to = flow.at_angle(start.angle - trial);
    let along = std::slice::from_ref(velocity);
    let next = flow.velocity(to, &moved(state, along, -trial, &[1.0]));
    let next = next.map_err(|cause| failed(1, start, cause))?;
    let bend = size_of(next - velocity.clone(), to)? / trial;
    let largest = speed.max(bend);
    let size = if largest <= 1e-15 {
        (trial * 1e-3).max(1e-6)
    } else {
        (0.01 / largest).powf(0.2)
    };
    Ok(size.min(100.0 * trial).min(longest))
}

fn report(flow: &Flow<'_>, from: Place, to: Place) -> StepReport {
    StepReport {
        t: from.t,
        s: to.t,
        from_log_snr: from.log_snr,
        to_log_snr: to.log_snr,
        model_calls: flow.model.take(),
        rejected: 0,
        error: None,
    }
}

const fn failed(step: usize, from: Place, cause: StepError) -> SolveError {
    SolveError::Step {
        step,
        t: from.t,
        log_snr: from.log_snr,
        cause,
    }
}

const fn non_finite(step: usize, at: Place) -> SolveError {
    SolveError::NonFinite {
        step,
        t: at.t,
        log_snr: at.log_snr,
    }
}

/// A time to be recorded.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    index: usize,
    time: f64,
    place: Place,
}

/// Recorded times in the order in which the solve meets them, and where their states go.
struct Record<'a> {
    wanted: VecDeque<Wanted>,
    keep: &'a mut dyn FnMut(Recorded),
}

impl<'a> Record<'a> {
    /// Finds the place of every recorded time between `start` and `end`.
    fn new(
        flow: &Flow<'_>,
        (start, end): (Place, Place),
        record: &[f64],
        keep: &'a mut dyn FnMut(Recorded),
    ) -> Result<Self, SolveError> {
        let place = |time: f64| {
            let mut ends = [start, end].into_iter();
            let same = ends.find(|end| (end.t - time).abs() <= SAME_TIME);
            same.or_else(|| (start.t > time && time > end.t).then(|| flow.at_time(time)))
        };
        let want = |(index, &time)| {
            let place = place(time).ok_or(SolveError::RecordOutsideGrid {
                time,
                first: start.t,
                last: end.t,
            })?;
            // A schedule that is not monotone, or NaN there.
            if !(end.angle..=start.angle).contains(&place.angle) {
                return Err(SolveError::LevelNotIncreasing {
                    t: time,
                    log_snr: place.log_snr,
                    previous: start.log_snr,
                });
            }
            Ok(Wanted { index, time, place })
        };
        let wanted: Result<Vec<Wanted>, SolveError> = record.iter().enumerate().map(want).collect();
        let mut wanted = wanted?;
        wanted.sort_by(|a, b| b.place.angle.total_cmp(&a.place.angle));
        Ok(Self {
            wanted: wanted.into(),
            keep,
        })
    }

    /// Hands over every state down to the place `to`; `z_t` gives the one at a place.
    fn pass(&mut self, to: Place, z_t: impl Fn(Place) -> Tensor<4>) {
        while let Some(wanted) = self
            .wanted
            .pop_front_if(|next| next.place.angle >= to.angle)
        {
            (self.keep)(Recorded {
                index: wanted.index,
                time: wanted.time,
                state: z_t(wanted.place),
            });
        }
    }
}
