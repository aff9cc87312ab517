//! What every multistep solver must do, for their unit tests.

use burn::tensor::Tensor;

use super::Solver;
use crate::test_support::{Changed, Exploding, assert_close, ddpm, f64_tensor};
use crate::{
    CosineSchedule, Denoiser, LinearBetaSchedule, Prediction, Schedule, Step, TimeGrid, from_fn,
    solve,
};

/// Declares the tests that every multistep solver must pass: lists of those that are exact for a constant
/// noise and of those that are exact for a constant image.
macro_rules! multistep_laws {
    (noise: $noise:expr $(, data: $data:expr)?) => {
        #[test]
        fn a_constant_prediction_is_solved_exactly() {
            $noise.iter().for_each($crate::solver::test_multistep::exact_for_constant_noise);
            $($data.iter().for_each($crate::solver::test_multistep::exact_for_constant_data);)?
        }

        #[test]
        fn a_step_can_be_taken_to_two_ends() {
            $noise.iter().for_each($crate::solver::test_multistep::repeatable);
            $($data.iter().for_each($crate::solver::test_multistep::repeatable);)?
        }

        #[test]
        fn units_do_not_matter() {
            $noise.iter().for_each($crate::solver::test_multistep::same_in_both_units);
            $($data.iter().for_each($crate::solver::test_multistep::same_in_both_units);)?
        }

        $(
            #[test]
            fn data_prediction_starts_in_pure_noise() {
                $data.iter().for_each($crate::solver::test_multistep::starts_in_pure_noise);
            }
        )?
    };
}
pub(crate) use multistep_laws;

/// A grid of unequal steps, long enough for every order.
const TIMES: [f64; 8] = [1.0, 0.9, 0.75, 0.6, 0.42, 0.3, 0.15, 0.01];

fn start() -> Tensor<4> {
    f64_tensor(&[1.3, -0.2, 0.7, -2.1], [2, 2, 1, 1])
}

fn constant() -> Tensor<4> {
    f64_tensor(&[0.5, -0.5, 0.1, 1.0], [2, 2, 1, 1])
}

/// Solves a model whose clean prediction never changes: `z_s = α_s x̂ + σ_s ε̂` with the first `ε̂`.
#[track_caller]
pub(crate) fn exact_for_constant_data(solver: &impl Solver) {
    exact(solver, &from_fn(|_, _| constant()));
}

/// Solves a model whose noise prediction never changes: `z_s = α_s x̂ + σ_s ε̂` with the first `x̂`.
#[track_caller]
pub(crate) fn exact_for_constant_noise(solver: &impl Solver) {
    exact(
        solver,
        &from_fn(|z_t, at| Prediction::Epsilon.to_x(constant(), z_t, at)),
    );
}

/// Either constant keeps both predictions of the first state for ever. Also checks the calls.
#[track_caller]
fn exact(solver: &impl Solver, model: &dyn Denoiser) {
    let table = ddpm();
    let linear = LinearBetaSchedule::default();
    for schedule in [&CosineSchedule::default() as &dyn Schedule, &table, &linear] {
        for end in [None, Some(0.0)] {
            let times: Vec<f64> = TIMES.into_iter().chain(end).collect();
            let grid = TimeGrid::from_times(times).expect("falls");
            let solution = solve(model, solver, schedule, &grid, start(), grid.times());
            let solution = solution.expect("solves");
            let at = schedule.at(1.0);
            let x_hat = model.denoise(start(), at);
            let epsilon = Prediction::X.to_epsilon(x_hat.clone(), start(), at);
            // A constant ε̂ gives x̂ = (z − σ ε̂)/α up to 3e4, and ε̂ is found from it in every step.
            let largest = x_hat.clone().abs().max().into_scalar::<f64>();
            let rounding = 1e-12 * largest.max(1.0);
            for (&t, state) in grid.times().iter().zip(&solution.states) {
                let at = schedule.at(t);
                let expected = x_hat.clone() * at.alpha() + epsilon.clone() * at.sigma();
                assert_close(state, &expected, rounding);
            }
            let planned: usize = Step::all(schedule, &grid)
                .map(|step| solver.calls(&step))
                .sum();
            assert_eq!(solution.model_calls, planned, "{}", solver.name());
        }
    }
}

/// Takes a step from one memory to an end, to another, and to the first again: the first and third
/// agree to the bit, and a solve that records between grid times ends where one that does not does.
#[track_caller]
pub(crate) fn repeatable(solver: &impl Solver) {
    let model = from_fn(|z_t: Tensor<4>, at| (z_t * 0.8).sin() * at.alpha());
    let schedule = CosineSchedule::default();
    let (mut state, mut memory) = (start(), solver.start());
    for (index, pair) in TIMES.windows(2).enumerate() {
        let take = |end: f64| {
            let step = Step::new(&schedule, pair[0], end, index, TIMES.len() - 1);
            let taken = solver.step(&model, state.clone(), &step, memory.clone());
            taken.expect("a step")
        };
        let (first, next) = take(pair[1]);
        let (other, _) = take(0.5 * (pair[0] + pair[1]));
        let (again, _) = take(pair[1]);
        assert_close(&again, &first, 0.0);
        let moved = (other - first.clone()).abs().max().into_scalar::<f64>();
        assert!(moved > 1e-6, "{}: both ends are the same", solver.name());
        (state, memory) = (first, next);
    }
    let grid = TimeGrid::from_times(TIMES.to_vec()).expect("falls");
    let last = TIMES[TIMES.len() - 1];
    let recorded = solve(&model, solver, &schedule, &grid, start(), &[0.8, 0.2, last]);
    assert_close(&recorded.expect("solves").states[2], &state, 0.0);
}

/// Solves one flow in the units of both processes: a variance-exploding state is the other over `α`.
#[track_caller]
pub(crate) fn same_in_both_units(solver: &impl Solver) {
    let model = from_fn(|z_t: Tensor<4>, at| (z_t / at.scale() * 0.8).sin() * 0.9);
    let preserving = CosineSchedule::new(-8.0, 9.0).expect("a valid range");
    let grid = TimeGrid::from_times(TIMES.to_vec()).expect("falls");
    let states = |schedule: &dyn Schedule| {
        let z_1 = start() * schedule.at(1.0).scale();
        let solution = solve(&model, solver, schedule, &grid, z_1, grid.times());
        solution.expect("solves").states
    };
    let pairs = states(&preserving)
        .into_iter()
        .zip(states(&Exploding(preserving)));
    for (t, (a, b)) in grid.times().iter().zip(pairs) {
        let scale = Exploding(preserving).at(*t).scale();
        assert_close(&(b / scale), &a, 1e-11);
    }
}

/// Solves from a level without signal (`λ = −∞`), where a constant prediction is still exact.
#[track_caller]
pub(crate) fn starts_in_pure_noise(solver: &impl Solver) {
    let log_snr = |cosine: &CosineSchedule, t| {
        if t < 1.0 {
            cosine.log_snr(t)
        } else {
            f64::NEG_INFINITY
        }
    };
    let schedule = Changed {
        schedule: CosineSchedule::default(),
        log_snr,
    };
    let grid = TimeGrid::from_times(TIMES.to_vec()).expect("falls");
    let model = from_fn(|_, _| constant());
    let solution = solve(&model, solver, &schedule, &grid, start(), grid.times());
    for (&t, state) in grid.times().iter().zip(&solution.expect("solves").states) {
        let at = schedule.at(t);
        let expected = constant() * at.alpha() + start() * at.sigma();
        assert_close(state, &expected, 1e-13);
    }
}
