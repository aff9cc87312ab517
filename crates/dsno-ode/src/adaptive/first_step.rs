use burn::tensor::Tensor;

use super::Dopri5;
use super::attempt::{moved, worst};
use super::flow::{Flow, Place};
use super::walk::{failed, non_finite};
use crate::SolveError;

/// Finds a first step from the size of the state, its velocity and the change of the velocity.
///
/// Hairer, Nørsett and Wanner 1993, section II.4, "Starting step size"; one model call.
pub(super) fn first_step(
    flow: &Flow<'_>,
    method: &Dopri5,
    (start, stop): (Place, Place),
    state: &Tensor<4>,
    velocity: &Tensor<4>,
) -> Result<f64, SolveError> {
    let way = start.angle - stop.angle;
    if way <= 0.0 {
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
    let trial = trial.min(way);
    let to = flow.at_angle(start.angle - trial);
    let next = flow.velocity(to, &moved(state, std::slice::from_ref(velocity), [-trial]));
    let next = next.map_err(|cause| failed(1, start, cause))?;
    let bend = size_of(next - velocity.clone(), to)? / trial;
    let largest = speed.max(bend);
    let size = if largest <= 1e-15 {
        (trial * 1e-3).max(1e-6)
    } else {
        (0.01 / largest).powf(0.2)
    };
    Ok(size.min(100.0 * trial).min(way))
}
