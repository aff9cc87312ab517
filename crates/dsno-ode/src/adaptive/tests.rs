use burn::tensor::DType;

use super::*;
use crate::test_support::{Exploding, assert_close, f64_tensor, mixture};
use crate::{CosineSchedule, LinearBetaSchedule, StepError, from_fn};

fn noise() -> Tensor<4> {
    let points = [0.3, -0.8, 1.4, 0.2, -0.6, -1.1, 0.05, 1.9];
    f64_tensor(&points, [4, 2, 1, 1])
}

fn solve_mixture(
    method: &Dopri5,
    schedule: &dyn Schedule,
    z_1: Tensor<4>,
    record: &[f64],
) -> Solution {
    let solution = solve_adaptive(&mixture(), method, schedule, (1.0, 0.0), z_1, record);
    solution.expect("solves")
}

fn fails(method: &Dopri5, span: (f64, f64), record: &[f64]) -> SolveError {
    let schedule = CosineSchedule::default();
    let solution = solve_adaptive(&mixture(), method, &schedule, span, noise(), record);
    solution.expect_err("cannot be solved")
}

/// The same levels at other times.
struct Bent(CosineSchedule);

impl Schedule for Bent {
    fn log_snr(&self, t: f64) -> f64 {
        self.0.log_snr(t * t * t)
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        self.0.time_at(log_snr).cbrt()
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        3.0 * t * t * self.0.log_snr_rate(t * t * t)
    }
}

#[test]
fn an_attempt_costs_six_calls_and_the_start_two() {
    for tolerance in [1e-3, 1e-6, 1e-9] {
        let method = Dopri5::with_tolerance(tolerance);
        let solution = solve_mixture(&method, &CosineSchedule::default(), noise(), &[0.7, 0.0]);
        let attempts = solution.steps.len() + solution.rejected();
        assert!(solution.rejected() > 0, "{tolerance}: nothing was rejected");
        assert_eq!(solution.model_calls, 2 + 6 * attempts);

        let method = Dopri5 {
            first_step: Some(0.02),
            ..method
        };
        let solution = solve_mixture(&method, &LinearBetaSchedule::default(), noise(), &[]);
        // The last step to the noiseless end costs nothing.
        let attempts = solution.steps.len() - 1 + solution.rejected();
        assert_eq!(solution.model_calls, 1 + 6 * attempts);
    }
}

#[test]
fn reports_join_from_start_to_end_and_keep_the_tolerance() {
    let method = Dopri5::default();
    let solution = solve_mixture(&method, &LinearBetaSchedule::default(), noise(), &[]);
    let steps = &solution.steps;
    assert_eq!((steps[0].t, steps[steps.len() - 1].s), (1.0, 0.0));
    for pair in steps.windows(2) {
        assert!(pair[0].s == pair[1].t && pair[0].s < pair[0].t);
        assert_eq!(pair[0].to_log_snr, pair[1].from_log_snr);
        assert!(pair[0].error.is_some_and(|error| error <= 1.0));
    }
    let last = steps[steps.len() - 1];
    assert_eq!((last.error, last.to_log_snr), (None, f64::INFINITY));
}

#[test]
fn steps_depend_on_the_ends_of_the_schedule_alone() {
    let method = Dopri5::with_tolerance(1e-6);
    let cosine = CosineSchedule::default();
    let plain = solve_mixture(&method, &cosine, noise(), &[0.125, 0.0]);
    let bent = solve_mixture(&method, &Bent(cosine), noise(), &[0.5, 0.0]);
    assert_eq!(plain.model_calls, bent.model_calls);
    for (a, b) in plain.states.iter().zip(&bent.states) {
        // The two levels agree to 1e-14, and rounding in a step's length moves a state by its error.
        assert_close(a, b, 1e-10);
    }
}

#[test]
fn both_processes_are_one_flow_in_other_units() {
    let method = Dopri5::with_tolerance(1e-6);
    let cosine = CosineSchedule::default();
    let record = [1.0, 0.4, 0.0];
    let plain = solve_mixture(&method, &cosine, noise(), &record);
    let exploding = Exploding(cosine);
    let z_1 = noise() * exploding.at(1.0).scale();
    let solution = solve_mixture(&method, &exploding, z_1, &record);
    assert_eq!(solution.model_calls, plain.model_calls);
    for ((a, b), t) in plain.states.iter().zip(solution.states).zip(record) {
        assert_close(a, &(b / exploding.at(t).scale()), 1e-12);
    }
}

#[test]
fn no_sample_hides_behind_the_others() {
    let method = Dopri5::with_tolerance(1e-4);
    let cosine = CosineSchedule::default();
    // On the ridge between two components, where the flow turns fast, and 63 samples far from it.
    let hard = f64_tensor(&[-0.35, 0.9], [1, 2, 1, 1]);
    let easy = f64_tensor(&[2.0, 1.0], [1, 2, 1, 1]).repeat_dim(0, 63);
    let exact = solve_mixture(
        &Dopri5::with_tolerance(1e-10),
        &cosine,
        hard.clone(),
        &[0.0],
    );
    let crowd = Tensor::cat(vec![easy, hard], 0);
    let crowd = solve_mixture(&method, &cosine, crowd, &[0.0]);
    let found = crowd.states[0].clone().narrow(0, 63, 1);
    // Ten tolerances, as the type promises; a mean over the batch would give it 8 times more room.
    assert_close(&found, &exact.states[0], 1e-3);
}

#[test]
fn the_start_and_the_end_are_recorded_as_they_are() {
    let method = Dopri5::default();
    let cosine = CosineSchedule::default();
    let all = solve_mixture(&method, &cosine, noise(), &[0.0, 1.0, 0.0, 0.4]);
    let end = solve_mixture(&method, &cosine, noise(), &[0.0]);
    assert_close(&all.states[1], &noise(), 0.0);
    assert_close(&all.states[0], &end.states[0], 0.0);
    assert_close(&all.states[2], &end.states[0], 0.0);
    assert_eq!(all.model_calls, end.model_calls);

    let part = solve_adaptive(&mixture(), &method, &cosine, (1.0, 0.4), noise(), &[0.4]);
    // Two solves, each with its own steps.
    assert_close(
        &part.expect("solves").states[0],
        &all.states[3],
        40.0 * 1e-5,
    );
}

#[test]
fn single_precision_follows_double_precision() {
    let method = Dopri5::with_tolerance(1e-5);
    for schedule in [
        &CosineSchedule::default() as &dyn Schedule,
        &LinearBetaSchedule::default(),
    ] {
        let record = [0.9, 0.5, 0.1, 0.0];
        let double = solve_mixture(&method, schedule, noise(), &record);
        let single = solve_mixture(&method, schedule, noise().cast(DType::F32), &record);
        assert!(
            single.model_calls <= double.model_calls + 60,
            "{}",
            single.model_calls
        );
        for (a, b) in single.states.into_iter().zip(double.states) {
            assert_eq!(a.dtype(), DType::F32);
            // Both are within 40 tolerances of the flow.
            assert_close(&a.cast(DType::F64), &b, 80.0 * 1e-5);
        }
    }
}

#[test]
fn a_solve_can_start_below_the_last_angle() {
    let schedule = LinearBetaSchedule::default();
    let z_t = f64_tensor(&[0.9, 0.6], [1, 2, 1, 1]);
    let method = Dopri5 {
        sigma_min: 1e-2,
        ..Dopri5::default()
    };
    let solution = solve_adaptive(
        &mixture(),
        &method,
        &schedule,
        (1e-4, 0.0),
        z_t.clone(),
        &[0.0],
    );
    let solution = solution.expect("solves");
    assert_eq!((solution.model_calls, solution.steps.len()), (1, 1));
    let x_hat = mixture().denoise(z_t, schedule.at(1e-4));
    assert_close(&solution.states[0], &x_hat, 1e-12);
}

#[test]
fn a_model_that_breaks_stops_with_step_time_and_level() {
    let method = Dopri5::default();
    let schedule = CosineSchedule::default();
    let solve_with = |value: f64, after: f64| {
        let broken = from_fn(move |z_t, at| {
            let x_hat = mixture().denoise(z_t, at);
            if at.log_snr() > after {
                x_hat * value
            } else {
                x_hat
            }
        });
        let solution = solve_adaptive(&broken, &method, &schedule, (1.0, 0.0), noise(), &[0.0]);
        solution.expect_err("the model breaks")
    };
    for value in [f64::NAN, f64::INFINITY] {
        match solve_with(value, 1.0) {
            SolveError::NonFinite { step, t, log_snr } => {
                assert!(step > 1 && log_snr > 1.0 && t < 0.5, "{step} {t} {log_snr}");
                assert!((schedule.log_snr(t) - log_snr).abs() < 1e-9);
            }
            other => panic!("{other:?}"),
        }
        let first = solve_with(value, -30.0);
        assert!(
            matches!(first, SolveError::NonFinite { step: 1, .. }),
            "{first:?}"
        );
    }
}

#[test]
fn one_broken_sample_of_many_is_found() {
    let schedule = CosineSchedule::default();
    let method = Dopri5 {
        first_step: Some(0.05),
        ..Dopri5::default()
    };
    for broken in 0..4 {
        let mask = f64_tensor(&[0.0, 1.0, 2.0, 3.0], [4, 1, 1, 1]).equal_elem(broken);
        let model = from_fn(move |z_t, at| {
            let nan = z_t
                .zeros_like()
                .mask_fill(mask.clone().expand(z_t.dims()), f64::NAN);
            mixture().denoise(z_t, at) + nan
        });
        let solution = solve_adaptive(&model, &method, &schedule, (1.0, 0.0), noise(), &[0.0]);
        assert!(matches!(
            solution,
            Err(SolveError::NonFinite { step: 1, .. })
        ));
    }
}

#[test]
fn limits_stop_the_solve() {
    let few = Dopri5 {
        max_steps: 3,
        ..Dopri5::with_tolerance(1e-9)
    };
    match fails(&few, (1.0, 0.0), &[]) {
        SolveError::Adaptive(AdaptiveError::TooManySteps {
            limit: 3,
            t,
            log_snr,
        }) => {
            assert!(t < 1.0 && log_snr > -20.0);
        }
        other => panic!("{other:?}"),
    }
    // A prediction that jumps with the level: no step across the jump meets the tolerance.
    let jump = from_fn(|z_t, at| z_t.ones_like() * (if at.log_snr() < -15.0 { -1e3 } else { 1e3 }));
    let tight = Dopri5 {
        rtol: 0.0,
        ..Dopri5::with_tolerance(1e-14)
    };
    let schedule = CosineSchedule::default();
    let solution = solve_adaptive(&jump, &tight, &schedule, (1.0, 0.0), noise(), &[]);
    match solution.expect_err("a jump") {
        SolveError::Adaptive(AdaptiveError::StepTooSmall { log_snr, size, .. }) => {
            assert!(
                (log_snr + 15.0).abs() < 1e-3 && size < 1e-13,
                "{log_snr} {size:e}"
            );
        }
        other => panic!("{other:?}"),
    }
}

/// Changes one option.
type Change = fn(&mut Dopri5);

#[test]
fn arguments_without_a_meaning_are_refused() {
    let method = Dopri5::default();
    for (start, end) in [
        (0.0, 1.0),
        (0.5, 0.5),
        (1.5, 0.0),
        (1.0, -0.1),
        (f64::NAN, 0.0),
    ] {
        let error = fails(&method, (start, end), &[]);
        let found = matches!(error, SolveError::Adaptive(AdaptiveError::Span { .. }));
        assert!(found, "{start} {end}: {error:?}");
    }
    for time in [0.8, 0.1, f64::NAN] {
        let error = fails(&method, (0.7, 0.2), &[time]);
        assert!(matches!(
            error,
            SolveError::RecordOutsideGrid {
                first: 0.7,
                last: 0.2,
                ..
            }
        ));
    }
    let wrong: [(&str, Change); 5] = [
        ("rtol", |method| method.rtol = -1.0),
        ("atol", |method| method.atol = 0.0),
        ("max_steps", |method| method.max_steps = 0),
        ("first_step", |method| method.first_step = Some(f64::NAN)),
        ("sigma_min", |method| method.sigma_min = 0.0),
    ];
    for (name, change) in wrong {
        let mut method = method;
        change(&mut method);
        match fails(&method, (1.0, 0.0), &[]) {
            SolveError::Adaptive(AdaptiveError::Option { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_tolerance_below_the_rounding_of_the_states_is_refused() {
    let method = Dopri5::with_tolerance(1e-7);
    let schedule = CosineSchedule::default();
    let single = noise().cast(DType::F32);
    let solution = solve_adaptive(&mixture(), &method, &schedule, (1.0, 0.0), single, &[]);
    let error = solution.expect_err("too fine for f32");
    assert!(
        matches!(error, SolveError::Adaptive(AdaptiveError::Tolerance { .. })),
        "{error}"
    );
}

#[test]
fn a_bad_start_and_a_bad_shape_are_refused() {
    let (method, schedule) = (Dopri5::default(), CosineSchedule::default());
    let z_1 = f64_tensor(&[f64::NAN, 0.0], [1, 2, 1, 1]);
    let solution = solve_adaptive(&mixture(), &method, &schedule, (1.0, 0.0), z_1, &[]);
    assert!(matches!(
        solution,
        Err(SolveError::NonFiniteStart { t: 1.0 })
    ));

    let narrow = from_fn(|z_t, _| z_t.narrow(1, 0, 1));
    let solution = solve_adaptive(&narrow, &method, &schedule, (1.0, 0.0), noise(), &[]);
    let cause = StepError::ShapeMismatch {
        state: [4, 2, 1, 1],
        prediction: [4, 1, 1, 1],
    };
    let error = solution.expect_err("another shape");
    assert!(matches!(error, SolveError::Step { step: 1, cause: found, .. } if found == cause));
}
