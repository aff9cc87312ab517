use super::*;
use crate::test_support::{assert_close, f64_tensor};
use crate::{CosineSchedule, Ddim, LinearBetaSchedule, StepError, from_fn};

fn start() -> Tensor<4> {
    f64_tensor(&[0.3, -1.2, 0.8, 0.0], [2, 1, 1, 2])
}

fn grid(steps: usize) -> TimeGrid {
    TimeGrid::uniform(steps).expect("steps > 0")
}

/// Solves with DDIM.
fn ddim(
    model: &dyn Denoiser,
    schedule: &dyn Schedule,
    grid: &TimeGrid,
    record: &[f64],
) -> Result<Solution, SolveError> {
    solve(model, &Ddim, schedule, grid, start(), record)
}

#[test]
fn calls_the_model_once_per_ddim_step() {
    let calls = Cell::new(0);
    let model = from_fn(|z_t, at| {
        calls.set(calls.get() + 1);
        z_t * at.alpha()
    });
    for steps in [1, 2, 17, 64] {
        calls.set(0);
        let schedule = CosineSchedule::default();
        let solution = ddim(&model, &schedule, &grid(steps), &[0.0]);
        let solution = solution.expect("solves");
        assert_eq!(solution.model_calls, steps);
        assert_eq!(calls.get(), solution.model_calls);
    }
}

#[test]
fn records_in_the_order_asked_and_starts_with_the_input() {
    let model = from_fn(|z_t, at| z_t * at.alpha() * 0.5);
    let schedule = CosineSchedule::default();
    let run = |record: &[f64]| ddim(&model, &schedule, &grid(8), record).expect("solves");
    let forward = run(&[1.0, 0.5, 0.0]);
    assert_close(&forward.states[0], &start(), 0.0);
    let backward = run(&[0.0, 0.5 + 5e-13, 1.0, 0.0]);
    assert_eq!(backward.states.len(), 4);
    for (i, j) in [(0, 2), (1, 1), (2, 0), (3, 2)] {
        assert_close(&backward.states[i], &forward.states[j], 0.0);
    }
    assert_eq!(forward.into_trajectory().dims(), [2, 3, 1, 1, 2]);
    assert!(run(&[]).states.is_empty());
}

#[test]
fn a_time_between_grid_times_costs_a_step_and_disturbs_nothing() {
    let model = from_fn(|z_t, at| z_t * at.alpha() * 0.5);
    let schedule = CosineSchedule::default();
    let run = |times: &[f64], record: &[f64]| {
        let grid = TimeGrid::from_times(times.to_vec()).expect("decreasing");
        ddim(&model, &schedule, &grid, record).expect("solves")
    };
    let on = run(&[1.0, 0.5, 0.0], &[0.5, 0.0]);
    let between = run(&[1.0, 0.5, 0.0], &[0.5, 0.3, 0.0, 0.3]);
    assert_eq!((on.model_calls, between.model_calls), (2, 3));
    assert_eq!(between.steps[1].model_calls, 2);
    assert_close(&between.states[2], &on.states[1], 0.0);
    assert_close(&between.states[3], &between.states[1], 0.0);
    let stopped = run(&[1.0, 0.5, 0.3], &[0.3]);
    assert_close(&between.states[1], &stopped.states[0], 0.0);
}

#[test]
fn refuses_times_outside_the_grid_before_calling_the_model() {
    let model = from_fn(|_, _| unreachable!("the model must not be called"));
    let times = TimeGrid::from_times(vec![0.9, 0.5, 0.1]).expect("decreasing");
    for time in [1.0, 0.05, f64::NAN] {
        let schedule = CosineSchedule::default();
        let error = ddim(&model, &schedule, &times, &[0.5, time]);
        let error = error.expect_err("outside");
        assert!(matches!(
            error,
            SolveError::RecordOutsideGrid {
                first: 0.9,
                last: 0.1,
                ..
            }
        ));
    }
}

#[test]
fn refuses_a_schedule_whose_noise_does_not_fall() {
    struct Constant;
    impl Schedule for Constant {
        fn log_snr(&self, _t: f64) -> f64 {
            1.5
        }
        fn time_at(&self, _log_snr: f64) -> f64 {
            f64::NAN
        }
        fn log_snr_rate(&self, _t: f64) -> f64 {
            0.0
        }
    }
    let model = from_fn(|_, _| unreachable!("the model must not be called"));
    let error = ddim(&model, &Constant, &grid(4), &[0.0]).err();
    let expected = SolveError::LevelNotIncreasing {
        t: 0.75,
        log_snr: 1.5,
        previous: 1.5,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn stops_at_the_step_that_is_not_finite() {
    let schedule = CosineSchedule::default();
    for poison in [f64::NAN, f64::INFINITY] {
        let model = from_fn(move |z_t: Tensor<4>, at: NoiseLevel| {
            if at.log_snr() > 0.5 {
                z_t * poison
            } else {
                z_t
            }
        });
        let error = ddim(&model, &schedule, &grid(4), &[0.0]).err();
        let log_snr = schedule.log_snr(0.0);
        assert_eq!(
            error,
            Some(SolveError::NonFinite {
                step: 4,
                t: 0.0,
                log_snr
            })
        );
    }
    let model = from_fn(|z_t, _| z_t);
    let error = solve(
        &model,
        &Ddim,
        &schedule,
        &grid(4),
        start() * f64::NAN,
        &[0.0],
    )
    .err();
    assert_eq!(error, Some(SolveError::NonFiniteStart { t: 1.0 }));
}

#[test]
fn says_which_step_has_no_noise_to_start_from() {
    let times = TimeGrid::from_times(vec![1e-30, 0.0]).expect("decreasing");
    let model = from_fn(|z_t, _| z_t);
    let error = ddim(&model, &LinearBetaSchedule::default(), &times, &[0.0]);
    assert!(matches!(
        error,
        Err(SolveError::Step {
            step: 1,
            cause: StepError::NoiselessStart { .. },
            ..
        })
    ));
}

#[test]
fn says_which_step_changed_the_shape() {
    let model = from_fn(|z_t, _| z_t.narrow(0, 0, 1));
    let error = ddim(&model, &CosineSchedule::default(), &grid(4), &[0.0]).err();
    let message = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(message.starts_with("step 1 from time 1 "), "{message}");
    assert!(
        message.contains("[1, 1, 1, 2] for a state of shape [2, 1, 1, 2]"),
        "{message}"
    );
}

#[test]
fn arrives_at_a_noiseless_end() {
    let model = from_fn(|z_t, at| z_t * at.alpha());
    let schedule = LinearBetaSchedule::default();
    let solution = ddim(&model, &schedule, &grid(2048), &[0.0]).expect("solves");
    // First-order error of the flow of standard normal images, which is the identity.
    assert_close(&solution.states[0], &start(), 5e-3);
}
