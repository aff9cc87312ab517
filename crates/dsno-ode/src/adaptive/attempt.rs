//! One step as it is tried: the coefficients of the Dormand–Prince 5(4) pair, the stages, the end and
//! its error.

use burn::tensor::Tensor;

use super::Dopri5;
use super::flow::{Flow, Place};
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
            state = moved(start, &velocities, size, &WEIGHTS[stage]);
            let place = if NODES[stage] < 1.0 {
                flow.at_angle(from.angle + size * NODES[stage])
            } else {
                to
            };
            velocities.push(flow.velocity(place, &state)?);
        }
        let largest = start.clone().abs().max_pair(state.clone().abs());
        let unit = largest * method.rtol + method.atol;
        let estimate = weighted_sum(&velocities, size, &ERROR);
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
        moved(start, &self.velocities, size, &dense_weights(fraction))
    }

    /// Returns state and velocity at the end of the step.
    pub(super) fn end(mut self) -> (Tensor<4>, Tensor<4>) {
        let velocity = self.velocities.pop();
        let velocity = velocity.expect("invariant: a step has seven stages");
        (self.state, velocity)
    }
}

/// Returns `start + size Σ_i weights_i velocities_i`.
pub(super) fn moved(
    start: &Tensor<4>,
    velocities: &[Tensor<4>],
    size: f64,
    weights: &[f64],
) -> Tensor<4> {
    match weighted_sum(velocities, size, weights) {
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

/// Stages of a step; the last one is the first of the next step.
const STAGES: usize = 7;

/// Where each stage lies, as a fraction `c_i` of the step.
const NODES: [f64; STAGES] = [0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0];

/// Weights `a_ij` of the earlier stages; the last row is `b`, the fifth-order result.
const WEIGHTS: [[f64; STAGES - 1]; STAGES] = [
    [0.0; 6],
    [1.0 / 5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0],
    [44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0],
    [
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
        0.0,
        0.0,
    ],
    [
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
        0.0,
    ],
    [
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];

/// Fifth-order minus fourth-order weights, `b_i − b̂_i`.
const ERROR: [f64; STAGES] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339_200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];

/// Weights `d_i` of the term of highest degree in the dense output.
const DENSE: [f64; STAGES] = [
    -12_715_105_075.0 / 11_282_082_432.0,
    0.0,
    87_487_479_700.0 / 32_700_410_799.0,
    -10_690_763_975.0 / 1_880_347_072.0,
    701_980_252_875.0 / 199_316_789_632.0,
    -1_453_857_185.0 / 822_651_844.0,
    69_997_945.0 / 29_380_423.0,
];

/// Returns `b_i(θ)`, the weights of the fourth-order state at fraction `θ` of a step.
fn dense_weights(fraction: f64) -> [f64; STAGES] {
    let rest = 1.0 - fraction;
    std::array::from_fn(|i| {
        let whole = WEIGHTS[STAGES - 1].get(i).copied().unwrap_or(0.0);
        let start = f64::from(u8::from(i == 0)) - whole;
        let end = whole - f64::from(u8::from(i == STAGES - 1)) - start;
        fraction * (whole + rest * (start + fraction * (end + rest * DENSE[i])))
    })
}

/// Returns `size Σ_i weights_i velocities_i`, leaving out what has no weight.
///
/// The weights are multiplied with the size in f64 on the host, so a term costs two tensor operations.
fn weighted_sum(velocities: &[Tensor<4>], size: f64, weights: &[f64]) -> Option<Tensor<4>> {
    let weights = weights.iter().map(|weight| size * weight);
    let terms = velocities.iter().zip(weights);
    let terms = terms.filter(|&(_, weight)| weight != 0.0);
    terms
        .map(|(velocity, weight)| velocity.clone() * weight)
        .reduce(|sum, term| sum + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of a few fractions of size up to 12.
    const ROUNDING: f64 = 1e-14;

    #[track_caller]
    fn assert_equal(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= ROUNDING * expected.abs().max(10.0),
            "found {found}, expected {expected}"
        );
    }

    fn b() -> [f64; STAGES] {
        dense_weights(1.0)
    }

    fn sum(term: impl Fn(usize) -> f64) -> f64 {
        (0..STAGES).map(term).sum()
    }

    /// `Σ_j a_ij f(j)`
    fn inner(i: usize, f: impl Fn(usize) -> f64) -> f64 {
        (0..STAGES - 1).map(|j| WEIGHTS[i][j] * f(j)).sum()
    }

    #[test]
    fn each_row_sums_to_its_node() {
        for (i, node) in NODES.into_iter().enumerate() {
            assert_equal(inner(i, |_| 1.0), node);
        }
    }

    fn c(i: usize) -> f64 {
        NODES[i]
    }

    fn ac(i: usize) -> f64 {
        inner(i, c)
    }

    fn ac2(i: usize) -> f64 {
        inner(i, |j| c(j).powi(2))
    }

    fn aac(i: usize) -> f64 {
        inner(i, ac)
    }

    /// Number of nodes of a tree, its elementary weight at a stage, its density.
    type Tree = (usize, fn(usize) -> f64, f64);

    /// Returns the elementary weights of all trees up to an order, with the density of each tree.
    fn trees(weights: [f64; STAGES], order: usize) -> Vec<(f64, f64)> {
        let all: [Tree; 17] = [
            (1, |_| 1.0, 1.0),
            (2, c, 2.0),
            (3, |i| c(i).powi(2), 3.0),
            (3, ac, 6.0),
            (4, |i| c(i).powi(3), 4.0),
            (4, |i| c(i) * ac(i), 8.0),
            (4, ac2, 12.0),
            (4, aac, 24.0),
            (5, |i| c(i).powi(4), 5.0),
            (5, |i| c(i).powi(2) * ac(i), 10.0),
            (5, |i| ac(i).powi(2), 20.0),
            (5, |i| c(i) * ac2(i), 15.0),
            (5, |i| inner(i, |j| c(j).powi(3)), 20.0),
            (5, |i| c(i) * aac(i), 30.0),
            (5, |i| inner(i, |j| c(j) * ac(j)), 40.0),
            (5, |i| inner(i, ac2), 60.0),
            (5, |i| inner(i, aac), 120.0),
        ];
        let counted = all.iter().filter(|(nodes, ..)| *nodes <= order);
        counted
            .map(|(_, tree, density)| (sum(|i| weights[i] * tree(i)), *density))
            .collect()
    }

    #[test]
    fn the_result_is_of_fifth_order_and_the_embedded_one_of_fourth() {
        for (found, density) in trees(b(), 5) {
            assert_equal(found, 1.0 / density);
        }
        let embedded = std::array::from_fn(|i| b()[i] - ERROR[i]);
        for (found, density) in trees(embedded, 4) {
            assert_equal(found, 1.0 / density);
        }
        let mut highest = trees(embedded, 5).into_iter().skip(8);
        assert!(highest.any(|(found, density)| (found - 1.0 / density).abs() > 1e-4));
    }

    #[test]
    fn dense_output_is_of_fourth_order_everywhere_in_the_step() {
        let orders = [1, 2, 3, 3, 4, 4, 4, 4];
        for fraction in [0.1, 0.37, 0.5, 0.9, 1.0f64] {
            let found = trees(dense_weights(fraction), 4);
            for ((found, density), order) in found.into_iter().zip(orders) {
                assert_equal(found, fraction.powi(order) / density);
            }
        }
        assert_eq!(dense_weights(0.0), [0.0; STAGES]);
    }

    #[test]
    fn dense_output_has_the_velocities_of_both_ends() {
        // b_i'(0) selects the first stage and b_i'(1) the last, so pieces join with their slopes.
        let h = 1e-6;
        for i in 0..STAGES {
            let at_start = (dense_weights(h)[i] - dense_weights(-h)[i]) / (2.0 * h);
            let at_end = (dense_weights(1.0 + h)[i] - dense_weights(1.0 - h)[i]) / (2.0 * h);
            let is = |stage| f64::from(u8::from(i == stage));
            // Central differences: third derivative about 50, times h²; rounding 1e-16/h.
            assert!((at_start - is(0)).abs() < 1e-9, "{i}: {at_start}");
            assert!((at_end - is(STAGES - 1)).abs() < 1e-9, "{i}: {at_end}");
        }
    }
}
