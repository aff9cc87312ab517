use super::*;
use crate::solver::test_steps::{
    check_noise_shape, check_refusals, check_repeats, normal_numbers, seeded, sigma_time, start,
    wavy,
};
use crate::test_support::{Changed, assert_close, f64_tensor, values};
use crate::{CosineSchedule, Heun, Schedule, TimeGrid, from_fn, solve};

fn heun<N: NoiseSource>(s_churn: f64, noise: N) -> StochasticHeun<N> {
    StochasticHeun::new(
        Churn {
            s_churn,
            ..Churn::default()
        },
        noise,
    )
    .expect("valid")
}

#[test]
fn without_churn_it_is_heun_bit_for_bit() {
    let silent = |_: usize, _: &Tensor<4>| -> Tensor<4> { unreachable!("no noise is needed") };
    let schedule = CosineSchedule::default();
    let grid = TimeGrid::uniform(12).expect("steps > 0");
    let churned = heun(0.0, silent);
    let found = solve(&wavy(), &churned, &schedule, &grid, start(), &[0.5, 0.0]).expect("solves");
    let plain = solve(&wavy(), &Heun, &schedule, &grid, start(), &[0.5, 0.0]).expect("solves");
    for (found, plain) in found.states.iter().zip(&plain.states) {
        assert_close(found, plain, 0.0);
    }
    assert_eq!(found.model_calls, plain.model_calls);
}

#[test]
fn is_algorithm_2_where_time_is_the_noise_amplitude() {
    // Every line of the published algorithm, in σ itself, for D(x; σ) = c x.
    let (c, sigma_max, amount, noise_std) = (0.3, 10.0, 1.5, 1.01);
    let model = from_fn(move |z_t: Tensor<4>, _| z_t * c);
    let churn = Churn {
        s_churn: amount,
        s_min: 0.5,
        s_max: 8.0,
        s_noise: noise_std,
    };
    let solver = StochasticHeun::new(churn, seeded).expect("valid");
    let sigmas = [10.0, 6.0, 3.0, 1.0, 0.4, 0.0];
    let steps = sigmas.len() - 1;
    let grid = TimeGrid::from_times(sigmas.map(|sigma| sigma / sigma_max).to_vec());
    let grid = grid.expect("decreasing");
    let solution = solve(
        &model,
        &solver,
        &sigma_time(sigma_max),
        &grid,
        start(),
        &[0.0],
    );
    let solution = solution.expect("solves");
    assert_eq!(solution.model_calls, 2 * steps - 1);

    let mut x = values(&start());
    for i in 0..steps {
        let inside = (0.5..=8.0).contains(&sigmas[i]);
        let gamma = if inside {
            (amount / steps as f64).min(2f64.sqrt() - 1.0)
        } else {
            0.0
        };
        let raised = sigmas[i] * (1.0 + gamma);
        let noise = values(&seeded(i, &start()));
        for (x, noise) in x.iter_mut().zip(noise) {
            let x_raised =
                *x + (raised * raised - sigmas[i] * sigmas[i]).sqrt() * noise_std * noise;
            let d = (x_raised - c * x_raised) / raised;
            *x = x_raised + (sigmas[i + 1] - raised) * d;
            if sigmas[i + 1] != 0.0 {
                let d_after = (*x - c * *x) / sigmas[i + 1];
                *x = x_raised + (sigmas[i + 1] - raised) * (0.5 * d + 0.5 * d_after);
            }
        }
    }
    assert_close(&solution.states[0], &f64_tensor(&x, [2, 1, 1, 2]), 1e-12);
}

#[test]
fn both_processes_are_raised_to_the_same_level() {
    // Dividing the variance-preserving state by its α gives the variance-exploding one.
    let schedule = CosineSchedule::default();
    let at = schedule.at(0.6);
    let sigma_time = sigma_time(1.0 / schedule.at(0.9).signal_to_noise());
    let t = sigma_time.time_at(at.log_snr());
    let solver = heun(0.2, seeded);
    let (preserving, exploding) = (
        Step::alone(&schedule, 0.6, 0.5),
        Step::alone(&sigma_time, t, 0.5 * t),
    );
    let (raised, time) = solver
        .raise(start() * at.alpha(), &preserving)
        .expect("in range");
    let (raised_ve, time_ve) = solver.raise(start(), &exploding).expect("in range");
    let level = schedule.at(time);
    assert!((level.log_snr() - sigma_time.log_snr(time_ve)).abs() < 1e-12);
    assert_close(&(raised / level.alpha()), &raised_ve, 1e-12);
}

#[test]
fn the_raised_state_has_the_marginal_of_its_level() {
    // Standard normal images: every marginal of a variance-preserving process is standard normal.
    let count = 40_000;
    let schedule = CosineSchedule::default();
    let z_t = f64_tensor(&normal_numbers(3, count), [count, 1, 1, 1]);
    let step = Step::alone(&schedule, 0.6, 0.5);
    let solver = heun(0.3, seeded);
    let (raised, _) = solver.raise(z_t, &step).expect("in range");
    let variance = values(&raised).iter().map(|z| z * z).sum::<f64>() / count as f64;
    // Five standard errors, √(2/n) each, of the variance of normal numbers.
    assert!(
        (variance - 1.0).abs() < 5.0 * (2.0 / count as f64).sqrt(),
        "{variance}"
    );
}

#[test]
fn a_level_beyond_the_schedule_is_refused() {
    // A schedule with the same level at every time past its end.
    let log_snr = |cosine: &CosineSchedule, t: f64| cosine.log_snr(t.min(1.0));
    let schedule = Changed {
        schedule: CosineSchedule::default(),
        log_snr,
    };
    let step = Step::alone(&schedule, 1.0, 0.9);
    let solver = heun(0.3, seeded);
    let error = solver.step(&wavy(), start(), &step, ()).err();
    let log_snr = schedule.log_snr(1.0) - 2.0 * 1.3f64.ln();
    assert_eq!(error, Some(StepError::BeyondSchedule { log_snr }));

    let limited = Churn {
        s_churn: 0.3,
        s_max: 80.0,
        ..Churn::default()
    };
    let solver = StochasticHeun::new(limited, seeded).expect("valid");
    assert!(solver.step(&wavy(), start(), &step, ()).is_ok());
    // The formula of the cosine schedule itself goes on.
    let step = Step::alone(&schedule.schedule, 1.0, 0.9);
    let solver = heun(0.3, seeded);
    assert!(solver.step(&wavy(), start(), &step, ()).is_ok());
}

#[test]
fn repeats_refuses_and_names_itself() {
    let solver = heun(0.3, seeded);
    check_repeats(&solver, &CosineSchedule::default());
    check_refusals(&solver);
    assert_eq!(
        solver.name(),
        "churned-heun(churn=0.3, sigma=0..inf, noise=1)"
    );
    let single = |_: usize, like: &Tensor<4>| like.clone().narrow(0, 0, 1);
    check_noise_shape(&heun(0.3, single));
}
