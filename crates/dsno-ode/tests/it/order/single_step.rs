//! The solvers that take each step on its own.
//!
//! The exponential integrators see time only through `λ`: their step is `h = Δλ/2`, and the order is
//! that in `h`. On a grid uniform in `t` the first and the last step of the cosine schedule span
//! almost the same part of `λ ∈ [−20, 20]` however many steps there are, because its ends are only
//! `5e-5` in `t` from the poles of `λ`. So they are measured on grids uniform in `λ`, with `h` down to
//! 0.02; the Runge–Kutta methods in the schedule's time on grids uniform in `t`.

use dsno_ode::solver::{SinglestepNodes, SolverType};
use dsno_ode::{
    AlgorithmType, CosineSchedule, DpmSolverFast, DpmSolverSinglestep, Euler, Heun,
    LinearBetaSchedule, Rk4, Solver, SolverOrder, TimeGrid,
};

use super::{EXACT, EXACT_VP, around, assert_order, assert_stated, check, error, uniform};

/// Step counts of methods in the schedule's time.
const IN_TIME: [usize; 4] = [32, 64, 128, 256];
/// Step counts of methods in `λ`: 40 nats in steps of 0.16 to 0.04, `h` of half that.
const IN_LEVEL: [usize; 3] = [256, 512, 1024];

#[test]
fn runge_kutta_in_the_schedules_time() {
    check(&Euler, &IN_TIME, uniform);
    check(&Heun, &IN_TIME[1..], uniform);
    check(&Rk4, &IN_TIME, uniform);
}

#[test]
fn runge_kutta_to_a_noiseless_end_whose_last_step_is_euler() {
    fn check(solver: &impl Solver, order: usize) {
        let schedule = LinearBetaSchedule::default();
        let errors = IN_TIME.map(|n| (n, error(solver, &schedule, &uniform(n), &EXACT_VP)));
        assert_order(&solver.name(), around(order), errors);
    }
    check(&Euler, 1);
    check(&Heun, 2);
    // One step of order 1 among steps of order 4 leaves its own local error, of order 2.
    check(&Rk4, 2);
}

#[test]
fn single_step_dpm_solvers() {
    for algorithm_type in AlgorithmType::ALL {
        let first = DpmSolverSinglestep::new(algorithm_type, SolverOrder::First);
        check(&first, &IN_LEVEL, in_level);
        for order in [SolverOrder::Second, SolverOrder::Third] {
            for solver_type in [SolverType::Midpoint, SolverType::Heun] {
                let nodes = SinglestepNodes::of(order);
                let solver = DpmSolverSinglestep {
                    algorithm_type,
                    solver_type,
                    nodes,
                };
                check(&solver, &IN_LEVEL, in_level);
            }
        }
    }
}

#[test]
fn other_nodes_keep_order_two_and_cost_order_three_unless_the_second_is_at_two_thirds() {
    use SolverType::{Heun, Midpoint};
    let second = SinglestepNodes::second_at(0.3).expect("inside");
    let third = SinglestepNodes::of(SolverOrder::Third).with_midpoint_stage();
    // Nodes at which the error of order 2 is large from the coarsest of these grids on.
    let early = SinglestepNodes::third_at(0.25, 0.5).expect("inside");
    let late = SinglestepNodes::third_at(0.3, 0.9).expect("inside");
    assert_eq!((early.order(), late.order()), (2, 2));
    for algorithm_type in AlgorithmType::ALL {
        for (nodes, solver_type) in [
            (second, Midpoint),
            (second, Heun),
            (third, Midpoint),
            (early, Midpoint),
            (late, Heun),
        ] {
            let solver = DpmSolverSinglestep {
                algorithm_type,
                solver_type,
                nodes,
            };
            check(&solver, &IN_LEVEL, in_level);
        }
    }
}

#[test]
fn a_plan_that_ends_in_one_step_of_order_two_keeps_order_three() {
    let schedule = CosineSchedule::default();
    let errors = IN_LEVEL.map(|steps| {
        let calls = 3 * (steps - 1) + 2;
        let solver = DpmSolverFast::new(AlgorithmType::DpmSolver, &schedule, calls, 1.0, 0.0);
        let solver = solver.expect("a plan");
        assert_eq!(
            (solver.grid().steps(), solver.model_calls()),
            (steps, calls)
        );
        assert_eq!(solver.order(), 3);
        (steps, error(&solver, &schedule, solver.grid(), &EXACT))
    });
    assert_order("dpm-solver-fast", around(3), errors);
}

/// The numbers on the page of `DpmSolverSinglestep`.
#[test]
fn inner_nodes_on_a_grid_uniform_in_time_cost_what_the_page_says() {
    use AlgorithmType::{DpmSolver, DpmSolverPlusPlus};
    use SolverOrder::{Second, Third};
    let schedule = CosineSchedule::default();
    for (algorithm_type, order, calls, published, on_grid) in [
        (DpmSolverPlusPlus, Second, 30, 0.038, 0.083),
        (DpmSolverPlusPlus, Second, 120, 0.0033, 0.0046),
        (DpmSolverPlusPlus, Third, 30, 0.049, 0.28),
        (DpmSolverPlusPlus, Third, 120, 0.0034, 0.019),
        (DpmSolver, Second, 30, 0.044, 2.7),
        (DpmSolver, Second, 120, 0.0035, 0.14),
        (DpmSolver, Third, 30, 0.13, 1.2e3),
        (DpmSolver, Third, 120, 0.0071, 7.3),
    ] {
        let steps = calls / order.get();
        let solver = DpmSolverSinglestep::new(algorithm_type, order);
        let found = error(&solver, &schedule, &uniform(steps), &EXACT);
        assert_stated(&solver.name(), found, published, 0.05);

        let nodes = vec![SinglestepNodes::of(order).with_midpoint_stage(); steps];
        let plan = DpmSolverFast::on_grid(algorithm_type, &schedule, &uniform(calls), &nodes);
        let plan = plan.expect("a plan");
        let found = error(&plan, &schedule, plan.grid(), &EXACT);
        assert_stated(&plan.name(), found, on_grid, 0.05);
    }
}

fn in_level(steps: usize) -> TimeGrid {
    TimeGrid::uniform_log_snr(steps, -20.0..=20.0, &CosineSchedule::default()).expect("in range")
}
