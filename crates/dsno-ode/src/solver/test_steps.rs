//! Schedules, models and checks for the unit tests of solvers.

use std::cell::Cell;

use burn::tensor::Tensor;

use super::{Solver, StepError};
use crate::test_support::{assert_close, f64_tensor};
use crate::{CosineSchedule, Denoiser, EdmSchedule, Schedule, Step, from_fn};

/// Returns the schedule whose time is `σ`, in units of `sigma_max`.
pub(crate) fn sigma_time(sigma_max: f64) -> EdmSchedule {
    EdmSchedule::new(sigma_max).expect("positive")
}

pub(crate) fn start() -> Tensor<4> {
    f64_tensor(&[0.3, -1.2, 0.8, 0.1], [2, 1, 1, 2])
}

/// A smooth model that is neither linear nor constant.
pub(crate) fn wavy() -> impl Denoiser {
    from_fn(|z_t: Tensor<4>, at| {
        let scaled = z_t / at.scale();
        scaled.clone() * (0.5 * at.alpha()) + (scaled * 2.0 + 0.3 * at.log_snr()).sin() * 0.2
    })
}

/// Checks that a step gives the same result however often it is taken, with the stated calls.
#[track_caller]
pub(crate) fn check_repeats<S: Solver>(solver: &S, schedule: &dyn Schedule) {
    let calls = Cell::new(0);
    let inner = wavy();
    let model = from_fn(|z_t, at| {
        calls.set(calls.get() + 1);
        inner.denoise(z_t, at)
    });
    let step = Step::alone(schedule, 0.6, 0.4);
    let take = |step: &Step<'_>| {
        calls.set(0);
        let (z_s, _) = solver
            .step(&model, start(), step, solver.start())
            .expect("a step");
        assert_eq!(calls.get(), solver.calls(step), "{}", solver.name());
        z_s
    };
    let first = take(&step);
    let elsewhere = take(&Step::alone(schedule, 0.6, 0.5));
    assert_close(&take(&step), &first, 0.0);
    let moved = (elsewhere - first).abs().max().into_scalar::<f64>();
    assert!(moved > 1e-3, "the end of the step is ignored");
}

/// Checks that a start without noise and a prediction of another shape are refused.
#[track_caller]
pub(crate) fn check_refusals<S: Solver>(solver: &S) {
    let schedule = sigma_time(80.0);
    let from_clean = Step::alone(&schedule, 0.0, 0.0);
    let error = solver
        .step(&wavy(), start(), &from_clean, solver.start())
        .err();
    let expected = StepError::NoiselessStart {
        sigma: 0.0,
        log_snr: f64::INFINITY,
    };
    assert_eq!(error, Some(expected));

    let narrow = from_fn(|z_t: Tensor<4>, _| z_t.narrow(0, 0, 1));
    let step = Step::alone(&schedule, 0.5, 0.25);
    let error = solver.step(&narrow, start(), &step, solver.start()).err();
    let expected = StepError::ShapeMismatch {
        state: [2, 1, 1, 2],
        prediction: [1, 1, 1, 2],
    };
    assert_eq!(error, Some(expected));
}

/// The noise of a step in the tests of stochastic solvers.
pub(crate) fn seeded(step: usize, like: &Tensor<4>) -> Tensor<4> {
    let shape = like.dims();
    f64_tensor(
        &normal_numbers(1000 + step as u64, shape.iter().product()),
        shape,
    )
}

/// Checks that noise of another shape than the state is refused.
#[track_caller]
pub(crate) fn check_noise_shape(solver: &impl Solver) {
    let schedule = CosineSchedule::default();
    let step = Step::alone(&schedule, 0.6, 0.4);
    let error = solver.step(&wavy(), start(), &step, solver.start()).err();
    let expected = StepError::NoiseShape {
        state: [2, 1, 1, 2],
        noise: [1, 1, 1, 2],
    };
    assert_eq!(error, Some(expected));
}

/// Draws `count` standard normal numbers that depend on `seed` only.
///
/// SplitMix64 (Steele et al. 2014) and Box–Muller, so that no test depends on a process-wide seed.
pub(crate) fn normal_numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut uniform = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut normal = || {
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform()).cos()
    };
    (0..count).map(|_| normal()).collect()
}
