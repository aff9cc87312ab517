//! One step as it is tried: its stages, its end and its error.

use burn::tensor::Tensor;

use super::Dopri5;
use super::flow::{Flow, Place};
use super::tableau::{ERROR, NODES, STAGES, WEIGHTS, dense_weights, weighted_sum};
use crate::StepError;

/// A step as it was tried.
pub(super) struct Attempt {
    /// The fifth-order state at its end.
    pub(super) state: Tensor<4>,
    velocities: Vec<Tensor<4>>,
    /// Error in units of the tolerance; none if it or the state is not finite.
    pub(super) error: Option<f64>,
}

impl Attempt {
    pub(super) fn new(
        flow: &Flow<'_>,
        method: &Dopri5,
        (from, to): (Place, Place),
        start: &Tensor<4>,
        velocity: &Tensor<4>,
    ) -> Result<Self, StepError> {
        let size = to.angle - from.angle;
        let mut velocities = vec![velocity.clone()];
        let mut state = start.clone();
        for stage in 1..STAGES {
            state = moved(
                start,
                &velocities,
                WEIGHTS[stage].map(|weight| size * weight),
            );
            let place = if NODES[stage] < 1.0 {
                flow.at_angle(from.angle + size * NODES[stage])
            } else {
                to
            };
            velocities.push(flow.velocity(place, &state)?);
        }
        let largest = start.clone().abs().max_pair(state.clone().abs());
        let unit = largest * method.rtol + method.atol;
        let estimate = weighted_sum(&velocities, ERROR.map(|weight| size * weight));
        let estimate = estimate.unwrap_or_else(|| state.zeros_like());
        Ok(Self {
            error: worst(estimate / unit, &state),
            state,
            velocities,
        })
    }

    /// Interpolates the state at a place inside the step.
    pub(super) fn inside(
        &self,
        start: &Tensor<4>,
        (from, to): (Place, Place),
        at: Place,
    ) -> Tensor<4> {
        let size = to.angle - from.angle;
        let fraction = (at.angle - from.angle) / size;
        moved(
            start,
            &self.velocities,
            dense_weights(fraction).map(|weight| size * weight),
        )
    }

    /// Returns state and velocity at the end of the step.
    pub(super) fn end(mut self) -> (Tensor<4>, Tensor<4>) {
        let velocity = self.velocities.pop();
        (
            self.state,
            velocity.expect("invariant: a step has seven stages"),
        )
    }
}

/// Returns `start + Σ_i weights_i velocities_i`.
pub(super) fn moved(
    start: &Tensor<4>,
    velocities: &[Tensor<4>],
    weights: impl IntoIterator<Item = f64>,
) -> Tensor<4> {
    match weighted_sum(velocities, weights) {
        Some(sum) => start.clone() + sum,
        None => start.clone(),
    }
}

/// Returns the largest root mean square of a sample, unless it or `state` is not finite.
///
/// Everything is reduced on the device; the host reads one number.
pub(super) fn worst(ratio: Tensor<4>, state: &Tensor<4>) -> Option<f64> {
    let mean_squares = ratio.square().flatten::<2>(1, 3).mean_dim(1);
    let finite = mean_squares.clone().is_finite().all();
    let finite = finite.bool_and(state.clone().is_finite().all());
    let root = mean_squares.max().sqrt();
    let root = root.mask_fill(finite.bool_not(), -1.0).into_scalar::<f64>();
    (root >= 0.0).then_some(root)
}
