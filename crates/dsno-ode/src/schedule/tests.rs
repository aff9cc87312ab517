use super::*;
use crate::test_support::ddpm;

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
        ("linear table", Box::new(ddpm()), 1e-6),
        ("scaled-linear table", Box::new(latent()), 1e-6),
        ("squared-cosine table", Box::new(squared_cosine()), 1e-6),
        ("edm", Box::new(EdmSchedule::default()), 1e-6),
        (
            "edm as in a file",
            Box::new(NoiseSchedule::from(EdmSchedule::default())),
            1e-6,
        ),
    ]
}

fn latent() -> DiscreteSchedule {
    DiscreteSchedule::scaled_linear(1000, 0.00085, 0.012).expect("a valid table")
}

fn squared_cosine() -> DiscreteSchedule {
    DiscreteSchedule::squared_cosine(1000).expect("a valid table")
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
            // Rounding of λ (about 20 · 2⁻⁵²) divided by |dλ/dt|, which is at least 2.
            assert!(error < 1e-14, "{name}: t = {t}, error {error:e}");
        }
    }
}

#[test]
fn squares_of_the_amplitudes_sum_to_one_or_the_signal_is_kept_whole() {
    for (name, schedule, first) in all() {
        for t in times(first) {
            let level = schedule.at(t);
            let sum = level.alpha().powi(2) + level.sigma().powi(2);
            let kept = if name.starts_with("edm") {
                level.alpha()
            } else {
                sum
            };
            assert!((kept - 1.0).abs() < 4.0 * f64::EPSILON, "{name}: t = {t}");
        }
    }
}

#[test]
fn rates_are_the_slopes_of_level_and_amplitudes() {
    // Away from the ends, where differences lose their digits, and off the entries of the tables,
    // where the slope jumps: a quarter of an entry to either side.
    let step = 2.5e-4;
    for (name, schedule, _) in all() {
        for i in 10..990 {
            let t = (f64::from(i) + 0.5) / 1000.0;
            let slope = |value: &dyn Fn(f64) -> f64| {
                let central = |h: f64| (value(t + h) - value(t - h)) / (2.0 * h);
                // Richardson's extrapolation leaves an error of the fourth order.
                (4.0 * central(0.5 * step) - central(step)) / 3.0
            };
            let (alpha_rate, sigma_rate) = schedule.rates(t);
            let pairs = [
                (schedule.log_snr_rate(t), slope(&|t| schedule.log_snr(t))),
                (alpha_rate, slope(&|t| schedule.at(t).alpha())),
                (sigma_rate, slope(&|t| schedule.at(t).sigma())),
            ];
            for (rate, slope) in pairs {
                // Truncation, (h/t)⁴ at the smallest t; rounding is 2⁻⁵² · 20/h.
                let error = (rate - slope).abs() / rate.abs().max(1.0);
                assert!(error < 2e-6, "{name}: t = {t}, {rate} but {slope}");
            }
        }
    }
}

#[test]
fn rates_at_a_noiseless_end_are_the_limits() {
    let (alpha, sigma) = LinearBetaSchedule::default().rates(0.0);
    assert_eq!((alpha, sigma), (-0.05, f64::INFINITY));
    let (alpha, sigma) = ddpm().rates(0.0);
    assert!((alpha + 0.05).abs() < 1e-15 && sigma == f64::INFINITY);
    assert_eq!(EdmSchedule::default().rates(0.0), (0.0, 80.0));
    for schedule in [
        &ddpm() as &dyn Schedule,
        &EdmSchedule::default(),
        &LinearBetaSchedule::default(),
    ] {
        assert_eq!(schedule.log_snr_rate(0.0), f64::NEG_INFINITY);
        assert_eq!(schedule.time_at(f64::INFINITY), 0.0);
    }
}

#[test]
fn tables_have_their_entries_at_whole_steps_of_time() {
    for table in [ddpm(), latent(), squared_cosine()] {
        for index in [0.0, 1.0, 499.0, 999.0] {
            let log_snr = table.log_snr(table.time_of(index));
            assert_eq!(table.index_at(log_snr), index);
        }
        // A fraction of the way between two entries is that fraction of the difference in λ.
        let (high, low) = (table.log_snr(0.3), table.log_snr(0.301));
        let between = table.time_of(299.25);
        assert!((table.log_snr(between) - (0.75 * high + 0.25 * low)).abs() < 1e-12);
        assert!((table.index_at(table.log_snr(between)) - 299.25).abs() < 1e-9);
        // Beyond the table the index stays, the time does not.
        let below = table.log_snr(1.0) - 1.0;
        assert_eq!(table.index_at(below), 999.0);
        assert!(table.time_at(below) > 1.0);
        assert_eq!(table.index_at(f64::INFINITY), 0.0);
        assert!(table.index_at(f64::NAN).is_nan());
    }
}

#[test]
fn the_limit_of_ever_finer_tables_is_the_continuous_schedule() {
    let continuous = LinearBetaSchedule::default();
    let error = |entries: usize| {
        let n = entries as f64;
        let table = DiscreteSchedule::linear(entries, 0.1 / n, 20.0 / n).expect("a valid table");
        (table.log_snr(0.5) - continuous.log_snr(0.5)).abs()
    };
    // First order in the length of an entry.
    assert!(error(10_000) < 0.11 * error(1000) && error(1000) < 0.02);
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
    let count = ScheduleError::EntryCount { count: 1 };
    assert_eq!(DiscreteSchedule::linear(1, 1e-4, 0.02), Err(count));
    assert!(DiscreteSchedule::squared_cosine(0).is_err());
    assert!(DiscreteSchedule::squared_cosine(usize::MAX).is_err());
    let beta = ScheduleError::Beta {
        index: 2,
        beta: 1.0,
    };
    assert_eq!(DiscreteSchedule::from_betas(&[0.1, 0.2, 1.0]), Err(beta));
    assert!(DiscreteSchedule::from_betas(&[0.1, f64::NAN]).is_err());
    assert!(DiscreteSchedule::scaled_linear(10, -1e-4, 0.02).is_err());
    for sigma_max in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(EdmSchedule::new(sigma_max).is_err());
    }
}

#[test]
fn files_round_trip_and_refuse_what_they_do_not_know() {
    // The text of each kind; of the first two it is what earlier files hold.
    let any = DiscreteSchedule::from_betas(&[0.25, 0.5]).expect("a valid table");
    let files: [(NoiseSchedule, &str); 7] = [
        (
            CosineSchedule::default().into(),
            "kind = \"cosine\"\nlog_snr_min = -20.0\nlog_snr_max = 20.0\n",
        ),
        (
            LinearBetaSchedule::default().into(),
            "kind = \"linear-beta\"\nbeta_min = 0.1\nbeta_max = 20.0\n",
        ),
        (
            ddpm().into(),
            "kind = \"discrete-linear\"\nentries = 1000\nbeta_start = 0.0001\nbeta_end = 0.02\n",
        ),
        (
            latent().into(),
            "kind = \"discrete-scaled-linear\"\nentries = 1000\nbeta_start = 0.00085\n\
             beta_end = 0.012\n",
        ),
        (
            squared_cosine().into(),
            "kind = \"discrete-squared-cosine\"\nentries = 1000\n",
        ),
        (
            any.into(),
            "kind = \"discrete-betas\"\nbetas = [0.25, 0.5]\n",
        ),
        (
            EdmSchedule::default().into(),
            "kind = \"edm\"\nsigma_max = 80.0\n",
        ),
    ];
    for (schedule, file) in files {
        assert_eq!(toml::to_string(&schedule).expect("serialises"), file);
        assert_eq!(toml::from_str(file), Ok(schedule));
    }
    let refused = [
        "kind = 'cosine'\nlog_snr_min = -20.0",
        "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = 20.0\nbeta = 1.0",
        "kind = 'cosine'\nlog_snr_min = -20.0\nlog_snr_max = -20.0",
        "kind = 'linear_beta'\nbeta_min = 0.1\nbeta_max = 20.0",
        "kind = 'linear-beta'\nbeta_min = 0.1\nbeta_max = 20.0\nsteps = 1000",
        "log_snr_min = -20.0\nlog_snr_max = 20.0",
        "kind = 'discrete-linear'\nentries = 1000\nbeta_start = 0.0001",
        "kind = 'discrete-squared-cosine'\nentries = 1",
        "kind = 'discrete-betas'\nbetas = [0.1, 1.5]",
        "kind = 'edm'\nsigma_max = 0.0",
        "kind = 'edm'\nsigma_max = 80.0\nsigma_min = 0.002",
    ];
    for file in refused {
        assert!(toml::from_str::<NoiseSchedule>(file).is_err(), "{file}");
    }
}
