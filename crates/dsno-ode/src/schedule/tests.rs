use super::*;

/// Every schedule of this crate, by name, with the smallest time at which it has noise.
fn all() -> Vec<(&'static str, Box<dyn Schedule>, f64)> {
    let narrow = CosineSchedule::new(-7.5, 12.0).expect("a valid range");
    let constant = LinearBetaSchedule::new(3.0, 3.0).expect("valid rates");
    vec![
        ("cosine", Box::new(CosineSchedule::default()), 0.0),
        ("narrow cosine", Box::new(narrow), 0.0),
        ("linear beta", Box::new(LinearBetaSchedule::default()), 1e-6),
        ("constant beta", Box::new(constant), 1e-6),
        ("as in a file", Box::new(NoiseSchedule::from(narrow)), 0.0),
    ]
}

fn times(first: f64) -> impl Iterator<Item = f64> {
    (0..=1000).map(move |i| first + (1.0 - first) * f64::from(i) / 1000.0)
}

#[test]
fn log_snr_falls_strictly_with_time() {
    for (name, schedule, first) in all() {
        let values: Vec<f64> = times(first).map(|t| schedule.log_snr(t)).collect();
        assert!(values.windows(2).all(|w| w[0] > w[1]), "{name}");
    }
}

#[test]
fn time_at_inverts_log_snr() {
    for (name, schedule, first) in all() {
        for t in times(first) {
            let error = (schedule.time_at(schedule.log_snr(t)) - t).abs();
            // Rounding of λ (about 20 · 2⁻⁵²) divided by |dλ/dt| ≥ 3.
            assert!(error < 1e-14, "{name}: t = {t}, error {error:e}");
        }
    }
}

#[test]
fn squares_of_the_amplitudes_sum_to_one() {
    for (name, schedule, first) in all() {
        for t in times(first) {
            let level = schedule.at(t);
            let sum = level.alpha().powi(2) + level.sigma().powi(2);
            assert!((sum - 1.0).abs() < 4.0 * f64::EPSILON, "{name}: t = {t}");
        }
    }
}

#[test]
fn cosine_meets_its_range_at_both_ends() {
    for (min, max) in [(-20.0, 20.0), (-7.5, 12.0), (1.0, 2.0), (-40.0, 40.0)] {
        let schedule = CosineSchedule::new(min, max).expect("a valid range");
        assert!((schedule.log_snr(1.0) - min).abs() < 1e-13);
        assert!((schedule.log_snr(0.0) - max).abs() < 1e-13);
    }
}

#[test]
fn cosine_agrees_with_the_formula_of_one_tangent() {
    let schedule = CosineSchedule::default();
    let b = (-10.0_f64).exp().atan();
    let a = 10.0_f64.exp().atan() - b;
    for t in times(0.0) {
        let direct = -2.0 * (a * t + b).tan().ln();
        // The single tangent itself loses 5e-12 at t = 1, where it is steep.
        assert!((schedule.log_snr(t) - direct).abs() < 1e-11, "t = {t}");
    }
}

#[test]
fn linear_beta_has_no_noise_at_time_zero() {
    let level = LinearBetaSchedule::default().at(0.0);
    assert_eq!((level.alpha(), level.sigma()), (1.0, 0.0));
    assert_eq!(LinearBetaSchedule::default().time_at(f64::INFINITY), 0.0);
}

#[test]
fn impossible_ranges_are_refused_with_their_numbers() {
    assert_eq!(
        CosineSchedule::new(20.0, -20.0),
        Err(ScheduleError::LogSnrRange {
            min: 20.0,
            max: -20.0
        })
    );
    assert!(CosineSchedule::new(-20.0, f64::INFINITY).is_err());
    assert!(CosineSchedule::new(f64::NAN, 20.0).is_err());
    assert_eq!(
        LinearBetaSchedule::new(20.0, 0.1),
        Err(ScheduleError::BetaRange {
            beta_min: 20.0,
            beta_max: 0.1
        })
    );
    assert!(LinearBetaSchedule::new(0.0, 20.0).is_err());
    assert!(LinearBetaSchedule::new(f64::NAN, 20.0).is_err());
}

#[test]
fn files_round_trip_and_refuse_what_they_do_not_know() {
    for schedule in [
        NoiseSchedule::from(CosineSchedule::default()),
        NoiseSchedule::from(LinearBetaSchedule::default()),
    ] {
        let file = toml::to_string(&schedule).expect("serialises");
        assert_eq!(toml::from_str(&file), Ok(schedule));
    }
    let refused = [
        "kind = 'cosine'\nlog_snr_min = -20.0",
        "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = 20.0\nbeta = 1.0",
        "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = -20.0",
        "kind = 'linear_beta'\nbeta_min = 0.1\nbeta_max = 20.0",
        "kind = 'linear-beta'\nbeta_min = 0.1\nbeta_max = 20.0\nsteps = 1000",
        "log_snr_min = -20.0\nlog_snr_max = 20.0",
    ];
    for file in refused {
        assert!(toml::from_str::<NoiseSchedule>(file).is_err(), "{file}");
    }
}
