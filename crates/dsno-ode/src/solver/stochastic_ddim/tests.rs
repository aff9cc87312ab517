use super::*;
use crate::solver::test_steps::{
    check_noise_shape, check_refusals, check_repeats, normal_numbers, seeded, sigma_time, start,
    wavy,
};
use crate::test_support::{assert_close, f64_tensor, values};
use crate::{CosineSchedule, Ddim, LinearBetaSchedule, Schedule, TimeGrid, from_fn, solve};

/// Standard deviation of the images of the Gaussian teacher.
const STD: f64 = 0.4;

/// The exact denoiser of images `N(0, STD²)`.
fn gaussian() -> impl Denoiser {
    from_fn(|z_t: Tensor<4>, at| z_t * gain(at))
}

fn gain(at: NoiseLevel) -> f64 {
    let (alpha, sigma) = (at.alpha(), at.sigma());
    alpha * STD * STD / (alpha * alpha * STD * STD + sigma * sigma)
}

fn uniform(steps: usize) -> TimeGrid {
    TimeGrid::uniform(steps).expect("steps > 0")
}

/// Returns `(a, b)` of every step `z_s = a z_t + b n` with the linear teacher, from the formulas of
/// the paper in `ᾱ`, which hold for variance-preserving processes only.
fn linear_steps(eta: f64, schedule: &dyn Schedule, grid: &TimeGrid) -> Vec<(f64, f64)> {
    let step = |pair: &[f64]| {
        let (from, to) = (schedule.at(pair[0]), schedule.at(pair[1]));
        let (bar_t, bar_s) = (from.alpha().powi(2), to.alpha().powi(2));
        let (noise_t, noise_s) = (from.sigma().powi(2), to.sigma().powi(2));
        let fresh = eta * (noise_s / noise_t).sqrt() * (1.0 - bar_t / bar_s).sqrt();
        let direction = (noise_s - fresh * fresh).max(0.0).sqrt();
        let x_hat = gain(from);
        let eps_hat = (1.0 - bar_t.sqrt() * x_hat) / noise_t.sqrt();
        (bar_s.sqrt() * x_hat + direction * eps_hat, fresh)
    };
    grid.times().windows(2).map(step).collect()
}

#[test]
fn without_fresh_noise_it_is_ddim_bit_for_bit() {
    let silent = |_: usize, _: &Tensor<4>| -> Tensor<4> { unreachable!("no noise is needed") };
    let solver = StochasticDdim::new(0.0, silent).expect("in range");
    for schedule in [
        &CosineSchedule::default() as &dyn Schedule,
        &LinearBetaSchedule::default(),
    ] {
        let run = |times: &[f64]| {
            let a = solve(&wavy(), &solver, schedule, &uniform(16), start(), times);
            let b = solve(&wavy(), &Ddim, schedule, &uniform(16), start(), times);
            (a.expect("solves").states, b.expect("solves").states)
        };
        let (found, expected) = run(&[0.9375, 0.5, 0.3, 0.0]);
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, 0.0);
        }
    }
}

#[test]
fn agrees_with_the_closed_form_of_a_linear_model() {
    for eta in [0.3, 1.0] {
        let schedule = CosineSchedule::default();
        let solver = StochasticDdim::new(eta, seeded).expect("in range");
        let solution = solve(
            &gaussian(),
            &solver,
            &schedule,
            &uniform(32),
            start(),
            &[0.0],
        );
        let mut expected = start();
        for (index, (a, b)) in linear_steps(eta, &schedule, &uniform(32))
            .into_iter()
            .enumerate()
        {
            expected = expected.clone() * a + seeded(index, &expected) * b;
        }
        // The paper's 1 − ᾱ_t/ᾱ_s cancels where both are near 1.
        assert_close(&solution.expect("solves").states[0], &expected, 1e-9);
    }
}

#[test]
fn the_marginal_has_the_variance_of_the_recursion_and_tends_to_the_data() {
    let count = 40_000;
    let shape = [count, 1, 1, 1];
    let schedule = CosineSchedule::default();
    for eta in [0.5, 1.0] {
        let solver = StochasticDdim::new(eta, seeded).expect("in range");
        let z_1 = f64_tensor(&normal_numbers(7, count), shape);
        let solution = solve(
            &gaussian(),
            &solver,
            &schedule,
            &uniform(24),
            z_1,
            &[0.25, 0.0],
        );
        let solution = solution.expect("solves");
        let recursion = |grid: &TimeGrid, steps: usize| {
            let parts = linear_steps(eta, &schedule, grid);
            parts[..steps]
                .iter()
                .fold(1.0, |variance, (a, b)| a * a * variance + b * b)
        };
        for (state, steps) in solution.states.iter().zip([18, 24]) {
            let samples = values(state);
            let variance = samples.iter().map(|z| z * z).sum::<f64>() / count as f64;
            let expected = recursion(&uniform(24), steps);
            // Five standard errors, √(2/n) each, of the variance of normal numbers.
            let tolerance = 5.0 * expected * (2.0 / count as f64).sqrt();
            assert!(
                (variance - expected).abs() < tolerance,
                "{eta}: {variance}, {expected}"
            );
        }
        // First order in the steps: the sampler misses the spread of the posterior.
        let error = |steps| (recursion(&uniform(steps), steps) - STD * STD).abs();
        let ratio = error(512) / error(1024);
        assert!((ratio - 2.0).abs() < 0.1, "{eta}: {ratio}");
    }
}

#[test]
fn fresh_noise_is_the_posterior_of_either_process() {
    let (log_t, log_s) = (-1.5, 0.8);
    let preserving = NoiseLevel::from_log_snr;
    let exploding = |log_snr| NoiseLevel::variance_exploding(1.0).with_log_snr(log_snr);
    let (fresh, kept) = split_noise(1.0, preserving(log_t), preserving(log_s));
    let (fresh_ve, kept_ve) = split_noise(1.0, exploding(log_t), exploding(log_s));
    // The two states differ by the factor α_s.
    let alpha = preserving(log_s).alpha();
    assert!((fresh - alpha * fresh_ve).abs() < 1e-15);
    assert!((kept - alpha * kept_ve).abs() < 1e-15);
    // Posterior variance σ_s² σ_{t|s}²/σ_t², with σ_{t|s}² = σ_t² − σ_s² at α = 1.
    let (sigma_t, sigma_s) = (exploding(log_t).sigma(), exploding(log_s).sigma());
    let posterior =
        sigma_s * sigma_s * (sigma_t * sigma_t - sigma_s * sigma_s) / (sigma_t * sigma_t);
    assert!((fresh_ve * fresh_ve - posterior).abs() < 1e-15);
}

#[test]
fn a_step_to_no_noise_is_the_prediction() {
    let schedule = sigma_time(80.0);
    let solver = StochasticDdim::new(1.0, seeded).expect("in range");
    let step = Step::alone(&schedule, 0.1, 0.0);
    let (end, ()) = solver.step(&wavy(), start(), &step, ()).expect("a step");
    assert_close(&end, &wavy().denoise(start(), step.from()), 0.0);
}

#[test]
fn repeats_refuses_and_names_itself() {
    let solver = StochasticDdim::new(0.5, seeded).expect("in range");
    check_repeats(&solver, &CosineSchedule::default());
    check_refusals(&solver);
    assert_eq!(solver.name(), "stochastic-ddim(eta=0.5)");

    for eta in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            StochasticDdim::new(eta, seeded).err(),
            Some(SolverOptionError::Eta { .. })
        ));
    }
    let single = |_: usize, like: &Tensor<4>| like.clone().narrow(0, 0, 1);
    check_noise_shape(&StochasticDdim::new(1.0, single).expect("in range"));
}
