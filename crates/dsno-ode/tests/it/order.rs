//! The observed order of every solver on the exact flow of the Gaussian mixture.

mod multistep;
mod single_step;

use dsno_ode::{CosineSchedule, Ddim, LinearBetaSchedule, Schedule, Solver, Step, TimeGrid, solve};

use crate::support::{golden, largest_difference, mixture, numbers, points, values};

/// Step counts between the pre-asymptotic range and the rounding of f64.
const STEPS: [usize; 5] = [64, 128, 256, 512, 1024];
/// How far the slope may lie from the nominal order.
const SLOPE: f64 = 0.15;

#[test]
fn the_error_falls_with_the_nominal_order() {
    check(&Ddim, &CosineSchedule::default(), "exact_t0");
    check(&Ddim, &LinearBetaSchedule::default(), "exact_vp_t0");
}

/// Solves with every step count, checks the calls, and fits log error against log steps.
#[track_caller]
fn check(solver: &impl Solver, schedule: &dyn Schedule, exact: &str) {
    let z_1 = points(&golden(&["ddim", "z_1"]));
    let exact = numbers(&golden(&["ddim", exact]));
    let error = |steps: usize| {
        let grid = TimeGrid::uniform(steps).expect("steps > 0");
        let solution = solve(&mixture(), solver, schedule, &grid, z_1.clone(), &[0.0]);
        let solution = solution.expect("solves");
        let calls = |pair: &[f64], index| {
            solver.calls(&Step::new(schedule, pair[0], pair[1], index, steps))
        };
        let planned = grid
            .times()
            .windows(2)
            .zip(0..)
            .map(|(pair, i)| calls(pair, i))
            .sum::<usize>();
        assert_eq!(solution.model_calls, planned);
        largest_difference(&values(&solution.states[0]), &exact)
    };
    let logs: Vec<(f64, f64)> = STEPS
        .iter()
        .map(|&n| ((n as f64).ln(), error(n).ln()))
        .collect();
    let order = -slope(&logs);
    let nominal = solver.order() as f64;
    assert!(
        (order - nominal).abs() < SLOPE,
        "{}: observed order {order}",
        solver.name()
    );
}

/// Returns the slope of the least-squares line through the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    covariance / variance
}
