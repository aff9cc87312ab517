//! Values of an independent f64 implementation in `tests/golden/ode.json`.

use dsno_ode::{
    CosineSchedule, Ddim, Denoiser, GridKind, LinearBetaSchedule, NoiseLevel, Schedule, TimeGrid,
    solve,
};

use crate::support::{
    CLOSED_FORM, F32, MIXTURE, assert_agree, golden, largest_difference, mixture, numbers, points,
    values,
};

#[test]
fn cosine_schedule() {
    let part = |key| numbers(&golden(&["schedule", key]));
    let schedule = CosineSchedule::default();
    let levels: Vec<NoiseLevel> = part("t").into_iter().map(|t| schedule.at(t)).collect();
    let each = |f: fn(NoiseLevel) -> f64| levels.iter().copied().map(f).collect::<Vec<_>>();
    assert_agree(&each(NoiseLevel::log_snr), &part("logsnr_f64"), CLOSED_FORM);
    assert_agree(&each(NoiseLevel::alpha), &part("alpha_f64"), CLOSED_FORM);
    assert_agree(&each(NoiseLevel::sigma), &part("sigma_f64"), CLOSED_FORM);
    let weights = each(|level| level.signal_to_noise().clamp(1.0, 1e4));
    assert_agree(&weights, &part("snr_weight_f64"), CLOSED_FORM);
}

#[test]
fn linear_beta_schedule() {
    let part = |key| numbers(&golden(&["mixture", "vp", key]));
    let schedule = LinearBetaSchedule::default();
    let levels: Vec<NoiseLevel> = part("t").into_iter().map(|t| schedule.at(t)).collect();
    let each = |f: fn(NoiseLevel) -> f64| levels.iter().copied().map(f).collect::<Vec<_>>();
    assert_agree(&each(NoiseLevel::alpha), &part("alpha"), CLOSED_FORM);
    assert_agree(&each(NoiseLevel::sigma), &part("sigma"), CLOSED_FORM);
}

#[test]
fn times_kept_from_a_trajectory() {
    let kept = |kind| {
        let grid = TimeGrid::new(kind, 4, &CosineSchedule::default()).expect("steps > 0");
        grid.times()[1..].to_vec()
    };
    let part = |key| numbers(&golden(&["schedule", key]));
    assert_agree(&kept(GridKind::Quadratic), &part("quadratic_times"), F32);
    assert_agree(&kept(GridKind::Uniform), &part("uniform_times"), F32);
}

#[test]
fn mixture_density_score_noise_and_prediction() {
    let (mixture, z_t) = (mixture(), points(&golden(&["mixture", "points"])));
    let schedules: [(&str, &dyn Schedule); 2] = [
        ("cosine", &CosineSchedule::default()),
        ("vp", &LinearBetaSchedule::default()),
    ];
    for (name, schedule) in schedules {
        let part = |key| golden(&["mixture", name, key]);
        for (i, t) in numbers(&part("t")).into_iter().enumerate() {
            let (z_t, at) = (z_t.clone(), schedule.at(t));
            let expected = |key| numbers(&part(key)[i]);
            let density = values(&mixture.log_density(z_t.clone(), at));
            let score = mixture.score(z_t.clone(), at);
            assert_agree(&density, &expected("logp"), MIXTURE);
            assert_agree(&values(&score), &expected("score"), MIXTURE);
            assert_agree(&values(&(score * -at.sigma())), &expected("eps"), MIXTURE);
            assert_agree(&values(&mixture.denoise(z_t, at)), &expected("x0"), MIXTURE);
        }
    }
}

#[test]
fn every_state_of_ddim_on_the_mixture() {
    let z_1 = points(&golden(&["ddim", "z_1"]));
    for (kind, key) in [
        (GridKind::Uniform, "uniform_8"),
        (GridKind::Quadratic, "quadratic_8"),
    ] {
        let schedule = CosineSchedule::default();
        let grid = TimeGrid::new(kind, 8, &schedule).expect("steps > 0");
        let solution = solve(
            &mixture(),
            &Ddim,
            &schedule,
            &grid,
            z_1.clone(),
            grid.times(),
        );
        let solution = solution.expect("solves");
        assert_eq!(solution.model_calls, 8);
        let states: Vec<f64> = solution.states.iter().flat_map(values).collect();
        assert_agree(&states, &numbers(&golden(&["ddim", key])), MIXTURE);
    }
}

#[test]
fn error_of_ddim_against_the_exact_flow() {
    let z_1 = points(&golden(&["ddim", "z_1"]));
    let exact = numbers(&golden(&["ddim", "exact_t0"]));
    let table = golden(&["ddim", "max_error_at_t0"]);
    for (kind, name) in [
        (GridKind::Uniform, "uniform"),
        (GridKind::Quadratic, "quadratic"),
    ] {
        for steps in [8, 16, 32, 64, 128, 256, 512] {
            let schedule = CosineSchedule::default();
            let grid = TimeGrid::new(kind, steps, &schedule).expect("steps > 0");
            let solution = solve(&mixture(), &Ddim, &schedule, &grid, z_1.clone(), &[0.0]);
            let solution = solution.expect("solves");
            assert_eq!(solution.model_calls, steps);
            let error = largest_difference(&values(&solution.states[0]), &exact);
            let expected = numbers(&table[format!("{name}_{steps}")]);
            assert_agree(&[error], &expected, MIXTURE);
        }
    }
}
