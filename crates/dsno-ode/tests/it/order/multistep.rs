//! The observed order of the multistep solvers.
//!
//! Step counts and grids lie where the leading term of the error dominates. The cosine schedule runs
//! from λ = −20 to 20, and the mixture's flow bends within a few nats around 0: 512 equal steps in `λ`
//! are 0.04 each in `ln(α/σ)`. In equal times the last step alone would be 3.5. The first steps, which
//! are of lower order, do not show: at λ = −20 the prediction changes by `α² = 2e-9` of a step's
//! length.

use std::sync::LazyLock;

use burn::tensor::{DType, Tensor};
use dsno_ode::{
    CosineSchedule, Deis, DeisVariable, DiscreteSchedule, DpmMultistep, FinalOrder, Form,
    LinearBetaSchedule, Middle, Plms, Pndm, Schedule, SecondOrder, Solver, SolverOrder, Step,
    StepFunction, ThirdOrder, TimeGrid, UniPc, solve,
};

use super::{SLOPE, slope};
use crate::support::{golden, largest_difference, mixture, numbers, points, values};

const ORDERS: [SolverOrder; 3] = [SolverOrder::First, SolverOrder::Second, SolverOrder::Third];
const STEPS: [usize; 4] = [512, 1024, 2048, 4096];

#[test]
fn dpm_multistep() {
    for form in [Form::Data, Form::Noise] {
        for order in ORDERS {
            let midpoint = DpmMultistep {
                form,
                ..DpmMultistep::data(order)
            };
            let heun = DpmMultistep {
                second_order: SecondOrder::Heun,
                ..midpoint
            };
            let halved = DpmMultistep {
                third_order: ThirdOrder::Halved,
                ..midpoint
            };
            check(&midpoint);
            if order == SolverOrder::Second {
                check(&heun);
            }
            if order == SolverOrder::Third {
                check(&halved);
            }
        }
    }
}

#[test]
fn uni_pc() {
    for form in [Form::Data, Form::Noise] {
        for step_function in [StepFunction::Bh1, StepFunction::Bh2] {
            for corrector in [true, false] {
                for order in ORDERS {
                    let solver = UniPc {
                        form,
                        step_function,
                        corrector,
                        ..UniPc::data(order)
                    };
                    check(&solver);
                }
            }
        }
    }
}

#[test]
fn deis() {
    for variable in [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho] {
        for order in ORDERS {
            check(&Deis::new(order, variable));
        }
    }
}

/// Equal steps in time, as these two need, and an end at some noise: towards `t = 0` the noise of the
/// linear-β schedule goes as `√t`, which no polynomial in time follows.
#[test]
fn plms_and_pndm() {
    check_pseudo(&Plms);
    check_pseudo(&Pndm::default());
}

fn check_pseudo(solver: &impl Solver) {
    let schedule = LinearBetaSchedule::default();
    let times = |steps: usize| {
        (0..=steps)
            .map(|i| 1.0 - 0.95 * i as f64 / steps as f64)
            .collect()
    };
    let grid = |steps| TimeGrid::from_times(times(steps)).expect("falls");
    let exact = reference(&schedule, 1.0, 0.05);
    assert_order(solver, |steps| {
        error(solver, &schedule, &grid(steps), &exact)
    });
}

#[track_caller]
fn check(solver: &impl Solver) {
    let schedule = CosineSchedule::default();
    assert_order(solver, |steps| {
        error(
            solver,
            &schedule,
            &equal_levels(&schedule, steps, 1.0, 0.0),
            &EXACT,
        )
    });
}

#[track_caller]
fn assert_order(solver: &impl Solver, error: impl Fn(usize) -> f64) {
    let log = |&n: &usize| ((n as f64).ln(), error(n).ln());
    let logs: Vec<(f64, f64)> = STEPS.iter().map(log).collect();
    let order = -slope(&logs);
    let nominal = solver.order() as f64;
    // At order 4 the error meets that of the reference before the slope settles from above.
    let highest = if nominal > 3.0 { 4.5 } else { nominal + SLOPE };
    assert!(
        (nominal - SLOPE..highest).contains(&order),
        "{}: observed order {order}",
        solver.name()
    );
}

/// Solves, checks the calls, and returns the largest error at the end.
#[track_caller]
fn error(solver: &impl Solver, schedule: &dyn Schedule, grid: &TimeGrid, exact: &[f64]) -> f64 {
    let steps = grid.steps();
    let end = grid.times()[steps];
    let solution = solve(&mixture(), solver, schedule, grid, start(), &[end]).expect("solves");
    let pairs = grid.times().windows(2).enumerate();
    let calls =
        pairs.map(|(i, pair)| solver.calls(&Step::new(schedule, pair[0], pair[1], i, steps)));
    assert_eq!(solution.model_calls, calls.sum::<usize>());
    largest_difference(&values(&solution.states[0]), exact)
}

/// The flow's end on the cosine schedule, by SciPy's DOP853.
static EXACT: LazyLock<Vec<f64>> = LazyLock::new(|| numbers(&golden(&["ddim", "exact_t0"])));

fn start() -> Tensor<4> {
    points(&golden(&["ddim", "z_1"]))
}

/// Equal steps in `λ`.
fn equal_levels(schedule: &dyn Schedule, steps: usize, first: f64, last: f64) -> TimeGrid {
    let (from, to) = (schedule.log_snr(first), schedule.log_snr(last));
    let inside = (1..steps).map(|i| from + (to - from) * i as f64 / steps as f64);
    let inside = inside.map(|level| schedule.time_at(level));
    let times = std::iter::once(first).chain(inside).chain([last]).collect();
    TimeGrid::from_times(times).expect("falls")
}

/// The state at `last` of the flow from `first`, by UniPC-3 in 8192 steps; on the cosine schedule that
/// is within 2e-11 of DOP853.
fn reference(schedule: &dyn Schedule, first: f64, last: f64) -> Vec<f64> {
    let grid = equal_levels(schedule, 8192, first, last);
    let solver = UniPc {
        final_order: FinalOrder::Full,
        ..UniPc::data(SolverOrder::Third)
    };
    let solution = solve(&mixture(), &solver, schedule, &grid, start(), &[last]).expect("solves");
    values(&solution.states[0])
}

/// What the documentation of `ThirdOrder` says.
#[test]
fn the_published_third_order_is_less_exact_in_small_steps() {
    let schedule = CosineSchedule::default();
    for (steps, exact, halved) in [
        (32, 2.80e-2, 2.36e-2),
        (64, 1.51e-2, 1.58e-2),
        (128, 3.10e-3, 3.94e-3),
        (256, 4.04e-4, 7.53e-4),
        (512, 4.89e-5, 1.53e-4),
    ] {
        let grid = equal_levels(&schedule, steps, 1.0, 0.0);
        for (third_order, figure) in [(ThirdOrder::Exact, exact), (ThirdOrder::Halved, halved)] {
            let solver = DpmMultistep {
                third_order,
                ..DpmMultistep::data(SolverOrder::Third)
            };
            assert_figure(error(&solver, &schedule, &grid, &EXACT), figure);
        }
    }
}

/// What the documentation of `FinalOrder` says.
#[test]
fn a_full_order_in_a_long_last_step_overshoots() {
    let schedule = CosineSchedule::default();
    let grid = TimeGrid::uniform(32).expect("steps > 0");
    for (order, full, lower) in [
        (SolverOrder::Second, 1.41e-1, 1.07e-2),
        (SolverOrder::Third, 2.56, 3.05e-2),
    ] {
        for (final_order, figure) in [
            (FinalOrder::Full, full),
            (FinalOrder::LowerOnShortGrids, full),
            (FinalOrder::Lower, lower),
        ] {
            let solver = DpmMultistep {
                final_order,
                ..DpmMultistep::data(order)
            };
            assert_figure(error(&solver, &schedule, &grid, &EXACT), figure);
        }
    }
}

/// What the documentation of `Plms` says.
#[test]
fn pseudo_methods_amplify_errors_from_almost_pure_noise() {
    let schedule = CosineSchedule::default();
    for (steps, plms, pndm) in [(16, 4.19, 1.32e6), (128, 4.40e-2, 39.0)] {
        let grid = TimeGrid::uniform(steps).expect("steps > 0");
        assert_figure(error(&Plms, &schedule, &grid, &EXACT), plms);
        assert_figure(error(&Pndm::default(), &schedule, &grid, &EXACT), pndm);
    }
}

/// What the documentation of `Middle` says: 12 and 27 steps of 83 and 37 entries.
#[test]
fn whole_entries_change_the_error_of_pndm_by_a_five_hundredth() {
    let table = DiscreteSchedule::linear(1000, 1e-4, 0.02).expect("a valid table");
    for (steps, entries, halfway, whole) in
        [(11, 83, 0.225_11, 0.224_69), (26, 37, 0.057_336, 0.057_383)]
    {
        let times = (0..=steps)
            .rev()
            .map(|i| table.time_of(f64::from(entries * i)));
        let grid = TimeGrid::from_times(times.collect()).expect("falls");
        let exact = reference(&table, grid.times()[0], grid.times()[grid.steps()]);
        let solvers = [
            (Pndm::default(), halfway),
            (
                Pndm {
                    middle: Middle::WholeEntries(1000),
                },
                whole,
            ),
        ];
        for (solver, figure) in solvers {
            let found = error(&solver, &table, &grid, &exact);
            assert!((found / figure - 1.0).abs() < 1e-4, "{found}");
        }
    }
}

/// Figures are given in three digits.
#[track_caller]
fn assert_figure(found: f64, figure: f64) {
    assert!(
        (found / figure - 1.0).abs() < 0.006,
        "found {found:e}, stated {figure:e}"
    );
}

/// Images in f32 against f64, over 32 equal times from λ = −20. The noise form divides by `α` on the
/// way, at first by 4.5e-5.
#[test]
fn the_data_form_keeps_single_precision_and_the_noise_form_loses_two_digits() {
    for order in ORDERS {
        let data = DpmMultistep {
            final_order: FinalOrder::Lower,
            ..DpmMultistep::data(order)
        };
        assert!(rounding(&data) < 5e-6);
        assert!(rounding(&UniPc::data(order)) < 5e-6);
        for variable in [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho] {
            assert!((1e-4..5e-4).contains(&rounding(&Deis::new(order, variable))));
        }
        assert!((1e-4..5e-4).contains(&rounding(&DpmMultistep::noise(order))));
    }
}

fn rounding(solver: &impl Solver) -> f64 {
    let schedule = CosineSchedule::default();
    let grid = TimeGrid::uniform(32).expect("steps > 0");
    let end = |z_1| {
        let solution = solve(&mixture(), solver, &schedule, &grid, z_1, &[0.0]);
        values(&solution.expect("solves").states[0])
    };
    largest_difference(&end(start().cast(DType::F32)), &end(start()))
}

/// What the documentation of `UniPc::noise` says.
#[test]
fn the_corrector_of_the_noise_form_fails_from_almost_pure_noise() {
    let schedule = CosineSchedule::default();
    let grid = TimeGrid::uniform(32).expect("steps > 0");
    let found = |solver: UniPc| error(&solver, &schedule, &grid, &EXACT);
    for (order, data, noise) in [
        (SolverOrder::First, 2.02e-2, 1.61),
        (SolverOrder::Second, 5.71e-3, 1.64),
        (SolverOrder::Third, 5.55e-3, 1.64),
    ] {
        assert_figure(found(UniPc::data(order)), data);
        assert_figure(found(UniPc::noise(order)), noise);
    }
}
