use super::*;
use crate::solver::test_steps::{sigma_time, start, wavy};
use crate::test_support::f64_tensor;
use crate::{CosineSchedule, from_fn, solve};

fn fast(
    schedule: &dyn Schedule,
    calls: usize,
    from: f64,
    to: f64,
) -> Result<DpmSolverFast, SolverOptionError> {
    DpmSolverFast::new(AlgorithmType::DpmSolver, schedule, calls, from, to)
}

#[test]
fn the_fast_plan_spends_exactly_its_calls() {
    let schedule = CosineSchedule::default();
    let digits = |calls| {
        DpmSolverFast::orders(calls)
            .iter()
            .map(|order| order.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(digits(12), [3, 3, 3, 2, 1]);
    assert_eq!(digits(10), [3, 3, 3, 1]);
    assert_eq!(digits(11), [3, 3, 3, 2]);
    assert_eq!(
        [digits(1), digits(2), digits(3)],
        [vec![1], vec![2], vec![2, 1]]
    );
    for calls in 1..40 {
        let plan = fast(&schedule, calls, 1.0, 0.0).expect("a plan");
        assert_eq!(
            (plan.model_calls(), plan.nodes().len()),
            (calls, plan.grid().steps())
        );
        assert_eq!(plan.grid().steps(), calls / 3 + 1);
        let level = |i: usize| schedule.log_snr(plan.grid().times()[i]);
        let lengths = (0..plan.grid().steps()).map(|i| level(i + 1) - level(i));
        let expected = 40.0 / plan.grid().steps() as f64;
        assert!(
            lengths
                .into_iter()
                .all(|length| (length - expected).abs() < 1e-9)
        );
    }
    let refused = fast(&schedule, 0, 1.0, 0.0);
    assert_eq!(refused, Err(SolverOptionError::EmptyPlan));
    let endless = fast(&sigma_time(80.0), 10, 1.0, 0.0);
    assert!(matches!(endless, Err(SolverOptionError::PlanEnds { .. })));
    let backwards = fast(&schedule, 10, 0.0, 1.0);
    assert!(matches!(backwards, Err(SolverOptionError::PlanEnds { .. })));
}

#[test]
fn a_plan_on_a_grid_has_its_nodes_at_the_grid_points() {
    let schedule = CosineSchedule::default();
    let times = vec![0.9, 0.8, 0.6, 0.5, 0.2, 0.1, 0.05];
    let grid = TimeGrid::from_times(times.clone()).expect("decreasing");
    let [first, second, third] = SolverOrder::ALL.map(SinglestepNodes::of);
    let nodes = [third.with_midpoint_stage(), second, first];
    let on_grid = |schedule: &dyn Schedule, grid: &TimeGrid, nodes: &[SinglestepNodes]| {
        DpmSolverFast::on_grid(AlgorithmType::DpmSolverPlusPlus, schedule, grid, nodes)
    };
    let solver = on_grid(&schedule, &grid, &nodes).expect("a plan");
    assert_eq!(solver.grid().times(), [0.9, 0.5, 0.1, 0.05]);
    let levels = std::cell::RefCell::new(Vec::new());
    let model = from_fn(|z_t, at| {
        levels.borrow_mut().push(at.log_snr());
        z_t * at.alpha()
    });
    let solution = solve(&model, &solver, &schedule, solver.grid(), start(), &[0.05]);
    assert_eq!(solution.expect("solves").model_calls, 6);
    for (level, time) in levels.borrow().iter().zip(&times) {
        assert!((level - schedule.log_snr(*time)).abs() < 1e-13, "{time}");
    }
    assert_eq!(solver.name(), "dpm-solver++-planned(321)");
    assert_eq!(solver.order(), 2);

    let short = on_grid(&schedule, &grid, &nodes[..2]);
    let expected = SolverOptionError::PlanLength {
        calls: 5,
        intervals: 6,
    };
    assert_eq!(short, Err(expected));
    let grid = TimeGrid::from_times(vec![0.3, 0.2, 0.0]).expect("decreasing");
    let noiseless = on_grid(&sigma_time(80.0), &grid, &[second]);
    let expected = SolverOptionError::PlanEndsWithoutNoise { step: 1, calls: 2 };
    assert_eq!(noiseless, Err(expected));
}

#[test]
fn steps_that_are_not_in_the_plan_are_refused() {
    let schedule = CosineSchedule::default();
    let solver = fast(&schedule, 10, 1.0, 0.0).expect("a plan");
    let step = Step::new(&schedule, 0.9, 0.5, 1, 4);
    let expected = StepError::NotInPlan {
        step: 2,
        t: 0.9,
        planned_steps: 4,
    };
    assert_eq!(
        solver.step(&wavy(), start(), &step, ()).err(),
        Some(expected)
    );
    let z_t = f64_tensor(&[0.4], [1, 1, 1, 1]);
    let step = Step::new(&schedule, 1.0, 0.5, 0, 5);
    assert!(solver.step(&wavy(), z_t, &step, ()).is_err());
}
