//! The observed order of every solver on the exact flow of the Gaussian mixture.

mod multistep;
mod single_step;

use std::ops::Range;
use std::sync::LazyLock;

use burn::tensor::Tensor;
use dsno_ode::{CosineSchedule, Ddim, LinearBetaSchedule, Schedule, Solver, Step, TimeGrid, solve};

use crate::support::{golden, largest_difference, mixture, numbers, points, values};

/// Step counts between the pre-asymptotic range and the rounding of f64.
const STEPS: [usize; 5] = [64, 128, 256, 512, 1024];
/// How far the slope may lie from the nominal order.
const SLOPE: f64 = 0.15;

/// The flow's end on the cosine and on the linear-β schedule, by SciPy's DOP853.
static EXACT: LazyLock<Vec<f64>> = LazyLock::new(|| numbers(&golden(&["ddim", "exact_t0"])));
static EXACT_VP: LazyLock<Vec<f64>> = LazyLock::new(|| numbers(&golden(&["ddim", "exact_vp_t0"])));

#[test]
fn the_error_falls_with_the_nominal_order() {
    check(&Ddim, &STEPS, uniform);
    let linear = LinearBetaSchedule::default();
    let errors = STEPS.map(|n| (n, error(&Ddim, &linear, &uniform(n), &EXACT_VP)));
    assert_order(&Ddim.name(), around(1), errors);
}

/// Solves with every step count on the cosine schedule and checks the slope of the error.
#[track_caller]
fn check(solver: &impl Solver, steps: &[usize], grid: impl Fn(usize) -> TimeGrid) {
    let schedule = CosineSchedule::default();
    let errors = steps
        .iter()
        .map(|&n| (n, error(solver, &schedule, &grid(n), &EXACT)));
    assert_order(&solver.name(), around(solver.order()), errors);
}

/// Solves, checks the calls of every step, and returns the largest error at the end.
#[track_caller]
fn error(solver: &impl Solver, schedule: &dyn Schedule, grid: &TimeGrid, exact: &[f64]) -> f64 {
    let end = grid.times()[grid.steps()];
    let solution = solve(&mixture(), solver, schedule, grid, start(), &[end]).expect("solves");
    for (step, report) in Step::all(schedule, grid).zip(&solution.steps) {
        assert_eq!(report.model_calls, solver.calls(&step), "{}", solver.name());
    }
    largest_difference(&values(&solution.states[0]), exact)
}

fn around(order: usize) -> Range<f64> {
    order as f64 - SLOPE..order as f64 + SLOPE
}

/// Fits log error against log steps.
#[track_caller]
fn assert_order(name: &str, expected: Range<f64>, errors: impl IntoIterator<Item = (usize, f64)>) {
    let logs = errors
        .into_iter()
        .map(|(steps, error)| ((steps as f64).ln(), error.ln()));
    let logs: Vec<(f64, f64)> = logs.collect();
    let order = -slope(&logs);
    assert!(
        expected.contains(&order),
        "{name}: observed order {order}, logarithms {logs:?}"
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

/// Asserts that a number is the one that the documentation states, to its digits.
#[track_caller]
fn assert_stated(name: &str, found: f64, stated: f64, digits: f64) {
    let relative = (found / stated - 1.0).abs();
    assert!(
        relative < digits,
        "{name}: found {found:e}, stated {stated:e}"
    );
}

fn start() -> Tensor<4> {
    points(&golden(&["ddim", "z_1"]))
}

fn uniform(steps: usize) -> TimeGrid {
    TimeGrid::uniform(steps).expect("steps > 0")
}
