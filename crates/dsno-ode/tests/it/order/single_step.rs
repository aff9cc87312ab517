//! The solvers that take each step on its own.
//!
//! The exponential integrators see time only through `λ`: their step is `h = Δλ/2`, and the order is
//! that in `h`. On a grid uniform in `t` the first and the last step of the cosine schedule span
//! almost the same part of `λ ∈ [−20, 20]` however many steps there are, because its ends are only
//! `5e-5` in `t` from the poles of `λ`. So they are measured on grids uniform in `λ`, with `h` down to
//! 0.02; the Runge–Kutta methods in the schedule's time on grids uniform in `t`.

use dsno_ode::{
    CosineSchedule, DpmSolverPlanned, DpmSolverSinglestep, Euler, Form, Heun, LinearBetaSchedule,
    Rk4, Schedule, SecondOrder, SinglestepPlan, Solver, SolverOrder, Stages, Step, TimeGrid, solve,
};

use super::{SLOPE, slope};
use crate::support::{golden, largest_difference, mixture, numbers, points, values};

/// Step counts of methods in the schedule's time.
const IN_TIME: [usize; 4] = [32, 64, 128, 256];
/// Step counts of methods in `λ`: 40 nats in steps of 0.16 to 0.04, `h` of half that.
const IN_LEVEL: [usize; 3] = [256, 512, 1024];

const FORMS: [Form; 2] = [Form::Data, Form::Noise];

#[test]
fn runge_kutta_in_the_schedules_time() {
    check(&Euler, &IN_TIME, uniform);
    check(&Heun, &IN_TIME[1..], uniform);
    check(&Rk4, &IN_TIME, uniform);
}

#[test]
fn runge_kutta_to_a_noiseless_end_whose_last_step_is_euler() {
    let schedule = LinearBetaSchedule::default();
    let errors = |solver: &dyn Fn(&TimeGrid) -> (f64, usize)| {
        IN_TIME.map(|steps| (steps, solver(&uniform(steps)).0))
    };
    let euler = errors(&|grid| error_on(&schedule, "exact_vp_t0", &Euler, grid));
    assert_order("euler", 1, &euler);
    let heun = errors(&|grid| error_on(&schedule, "exact_vp_t0", &Heun, grid));
    assert_order("heun", 2, &heun);
    // One step of order 1 among steps of order 4 leaves its own local error, of order 2.
    let rk4 = errors(&|grid| error_on(&schedule, "exact_vp_t0", &Rk4, grid));
    assert_order("rk4", 2, &rk4);
}

#[test]
fn single_step_dpm_solvers() {
    for form in FORMS {
        check(
            &DpmSolverSinglestep::new(form, SolverOrder::First),
            &IN_LEVEL,
            in_level,
        );
        for order in [SolverOrder::Second, SolverOrder::Third] {
            for rule in [SecondOrder::Midpoint, SecondOrder::Heun] {
                check(
                    &DpmSolverSinglestep::new(form, order).with_rule(rule),
                    &IN_LEVEL,
                    in_level,
                );
            }
        }
    }
}

#[test]
fn other_nodes_keep_order_two_and_cost_order_three_unless_the_second_is_at_two_thirds() {
    for form in FORMS {
        let at = |stages| DpmSolverSinglestep::with_stages(form, stages);
        let second = at(Stages::second_at(0.3).expect("inside"));
        check(&second, &IN_LEVEL, in_level);
        check(&second.with_rule(SecondOrder::Heun), &IN_LEVEL, in_level);
        check(
            &at(Stages::THIRD.with_midpoint_stage()),
            &IN_LEVEL,
            in_level,
        );
        // Nodes at which the error of order 2 is large from the coarsest of these grids on.
        let early = at(Stages::third_at(0.25, 0.5).expect("inside"));
        let late = at(Stages::third_at(0.3, 0.9).expect("inside")).with_rule(SecondOrder::Heun);
        assert_eq!((early.order(), late.order()), (2, 2));
        check(&early, &IN_LEVEL, in_level);
        check(&late, &IN_LEVEL, in_level);
    }
}

#[test]
fn a_plan_that_ends_in_one_step_of_order_two_keeps_order_three() {
    let schedule = CosineSchedule::default();
    let errors = IN_LEVEL.map(|steps| {
        let calls = 3 * (steps - 1) + 2;
        let plan = SinglestepPlan::fast(&schedule, calls, 1.0, 0.0).expect("a plan");
        let grid = plan.grid().clone();
        assert_eq!(grid.steps(), steps);
        let solver = DpmSolverPlanned::new(Form::Noise, plan);
        assert_eq!(solver.order(), 3);
        let (error, used) = error(&solver, &grid);
        assert_eq!(used, calls);
        (steps, error)
    });
    assert_order("dpm-solver-fast", 3, &errors);
}

/// The numbers on the page of `DpmSolverSinglestep`.
#[test]
fn inner_nodes_on_a_grid_uniform_in_time_cost_what_the_page_says() {
    use SolverOrder::{Second, Third};
    for (form, order, calls, published, on_grid) in [
        (Form::Data, Second, 30, 0.038, 0.083),
        (Form::Data, Second, 120, 0.0033, 0.0046),
        (Form::Data, Third, 30, 0.049, 0.28),
        (Form::Data, Third, 120, 0.0034, 0.019),
        (Form::Noise, Second, 30, 0.044, 2.7),
        (Form::Noise, Second, 120, 0.0035, 0.14),
        (Form::Noise, Third, 30, 0.13, 1.2e3),
        (Form::Noise, Third, 120, 0.0071, 7.3),
    ] {
        let steps = calls / order.get();
        let solver = DpmSolverSinglestep::new(form, order);
        let (found, used) = error(&solver, &uniform(steps));
        assert_eq!(used, calls);
        assert_two_digits(&solver.name(), found, published);

        let stages = vec![Stages::of(order).with_midpoint_stage(); steps];
        let plan = SinglestepPlan::on_grid(&CosineSchedule::default(), &uniform(calls), &stages);
        let plan = plan.expect("a plan");
        let grid = plan.grid().clone();
        let (found, used) = error(&DpmSolverPlanned::new(form, plan), &grid);
        assert_eq!(used, calls);
        assert_two_digits(&solver.name(), found, on_grid);
    }
}

fn uniform(steps: usize) -> TimeGrid {
    TimeGrid::uniform(steps).expect("steps > 0")
}

fn in_level(steps: usize) -> TimeGrid {
    TimeGrid::uniform_log_snr(steps, -20.0..=20.0, &CosineSchedule::default()).expect("in range")
}

/// Returns the largest error at `t = 0` against the exact flow, and the model calls.
fn error(solver: &impl Solver, grid: &TimeGrid) -> (f64, usize) {
    error_on(&CosineSchedule::default(), "exact_t0", solver, grid)
}

fn error_on(
    schedule: &dyn Schedule,
    exact: &str,
    solver: &impl Solver,
    grid: &TimeGrid,
) -> (f64, usize) {
    let z_1 = points(&golden(&["ddim", "z_1"]));
    let exact = numbers(&golden(&["ddim", exact]));
    let solution = solve(&mixture(), solver, schedule, grid, z_1, &[0.0]).expect("solves");
    let steps = grid.times().windows(2).enumerate();
    for ((index, pair), report) in steps.zip(&solution.steps) {
        let step = Step::new(schedule, pair[0], pair[1], index, grid.steps());
        assert_eq!(report.model_calls, solver.calls(&step), "{}", solver.name());
    }
    (
        largest_difference(&values(&solution.states[0]), &exact),
        solution.model_calls,
    )
}

/// Checks the slope of the error, and that every step makes as many calls as the method has stages.
#[track_caller]
fn check(solver: &impl Solver, steps: &[usize], grid: fn(usize) -> TimeGrid) {
    let errors: Vec<(usize, f64)> = steps
        .iter()
        .map(|&n| (n, error(solver, &grid(n)).0))
        .collect();
    assert_order(&solver.name(), solver.order(), &errors);
}

#[track_caller]
fn assert_order(name: &str, nominal: usize, errors: &[(usize, f64)]) {
    let logs: Vec<(f64, f64)> = errors
        .iter()
        .map(|&(n, e)| ((n as f64).ln(), e.ln()))
        .collect();
    let order = -slope(&logs);
    assert!(
        (order - nominal as f64).abs() < SLOPE,
        "{name}: observed order {order}, errors {errors:?}"
    );
}

/// Asserts that a number is the one written down with two digits.
#[track_caller]
fn assert_two_digits(name: &str, found: f64, written: f64) {
    let relative = (found / written - 1.0).abs();
    assert!(
        relative < 0.05,
        "{name}: found {found:e}, written {written:e}"
    );
}
