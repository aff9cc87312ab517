use super::*;
use crate::test_support::ddpm;
use crate::{CosineSchedule, DiscreteSchedule, EdmSchedule, LinearBetaSchedule};

const KINDS: [GridKind; 4] = [
    GridKind::Uniform,
    GridKind::Quadratic,
    GridKind::LogSnr,
    GridKind::Karras,
];

/// `λ` that belongs to a noise-to-signal ratio `σ/α`.
fn log_snr(ratio: f64) -> f64 {
    -2.0 * ratio.ln()
}

fn schedules() -> [(&'static str, Box<dyn Schedule>); 5] {
    let narrow = CosineSchedule::new(-5.0, 5.0).expect("a valid range");
    [
        ("cosine", Box::new(CosineSchedule::default())),
        ("narrow cosine", Box::new(narrow)),
        ("linear beta", Box::new(LinearBetaSchedule::default())),
        ("table", Box::new(ddpm())),
        ("edm", Box::new(EdmSchedule::default())),
    ]
}

#[test]
fn ends_are_exactly_noise_and_data() {
    for (name, schedule) in schedules() {
        for kind in KINDS {
            for steps in [1, 2, 3, 7, 512, 1000] {
                let grid = TimeGrid::new(kind, steps, &schedule).expect("steps > 0");
                assert_eq!(grid.steps(), steps, "{name}, {kind:?}");
                let ends = (grid.times()[0], grid.times()[steps]);
                assert_eq!(ends, (1.0, 0.0), "{name}, {kind:?}");
            }
            let none = TimeGrid::new(kind, 0, &schedule);
            assert_eq!(none, Err(GridError::TooFewTimes { count: 1 }));
        }
    }
}

/// Levels of the times between the ends.
fn inner(kind: GridKind, steps: usize, schedule: &dyn Schedule) -> Vec<f64> {
    let grid = TimeGrid::new(kind, steps, schedule).expect("steps > 0");
    grid.times()[1..steps]
        .iter()
        .map(|&t| schedule.log_snr(t))
        .collect()
}

#[test]
fn inner_levels_are_equally_spaced_between_the_limits() {
    // (schedule, first level in place of t = 1, last level, whether a step to t = 0 follows)
    let (wide_low, wide_high) = (log_snr(80.0), log_snr(0.002));
    let beta_low = LinearBetaSchedule::default().log_snr(1.0).max(wide_low);
    let expected = [
        (wide_low, wide_high, true),
        (-5.0, 5.0, false),
        (beta_low, wide_high, true),
        (wide_low, wide_high, true),
        (wide_low, wide_high, true),
    ];
    for ((name, schedule), (low, high, then_data)) in schedules().iter().zip(expected) {
        let intervals = if then_data { 9.0 } else { 10.0 };
        for (kind, space) in [
            (GridKind::LogSnr, (|x| x) as fn(f64) -> f64),
            (GridKind::Karras, |x| (-0.5 * x).exp().powf(1.0 / 7.0)),
        ] {
            let distance = (space(high) - space(low)) / intervals;
            for (i, level) in inner(kind, 10, schedule).into_iter().enumerate() {
                let at = space(low) + (i + 1) as f64 * distance;
                let error = (space(level) - at).abs() / distance.abs();
                // Times near t = 1 of the cosine carry λ to 1e-11, see its tests.
                assert!(
                    error < 1e-10,
                    "{name}, {kind:?}: level {i} is off by {error:e}"
                );
            }
        }
    }
}

#[test]
fn a_level_range_is_visited_from_end_to_end() {
    for (name, schedule) in schedules() {
        let grid = TimeGrid::uniform_log_snr(7, -4.0..=4.5, &schedule).expect("inside");
        assert_eq!(grid.steps(), 7);
        for (i, &t) in grid.times().iter().enumerate() {
            let expected = -4.0 + 8.5 / 7.0 * i as f64;
            assert!((schedule.log_snr(t) - expected).abs() < 1e-12, "{name}");
        }
    }
}

#[test]
fn a_grid_to_the_level_of_the_data_itself_has_no_further_step() {
    let schedule = CosineSchedule::new(-5.0, 5.0).expect("a valid range");
    let ratio = |log_snr: f64| (-0.5 * log_snr).exp();
    let to_the_end = TimeGrid::karras(5, 7.0, ratio(5.0), ratio(-5.0), &schedule).expect("inside");
    let before = TimeGrid::karras(5, 7.0, ratio(4.0), ratio(-5.0), &schedule).expect("inside");
    assert_eq!((to_the_end.steps(), before.steps()), (5, 5));
    for grid in [&to_the_end, &before] {
        assert_eq!((grid.times()[0], grid.times()[5]), (1.0, 0.0));
    }
    assert!((schedule.log_snr(before.times()[4]) - 4.0).abs() < 1e-12);
    let levels = TimeGrid::from_log_snr(&[-5.0, 0.0, 5.0], &schedule).expect("inside");
    assert_eq!((levels.times()[0], levels.times()[2]), (1.0, 0.0));
}

#[test]
fn levels_outside_the_schedule_are_refused_with_its_ends() {
    let narrow = CosineSchedule::new(-5.0, 5.0).expect("a valid range");
    let refused = |levels: &[f64], schedule: &dyn Schedule| {
        TimeGrid::from_log_snr(levels, schedule).expect_err("outside")
    };
    for (level, index) in [(6.0, 1), (f64::INFINITY, 1), (f64::NAN, 1), (-6.0, 0)] {
        let levels = if index == 1 {
            [-1.0, level]
        } else {
            [level, 1.0]
        };
        let GridError::OutsideSchedule {
            index: found,
            lowest,
            highest,
            ..
        } = refused(&levels, &narrow)
        else {
            panic!("level {level}");
        };
        assert_eq!((found, lowest.round(), highest.round()), (index, -5.0, 5.0));
    }
    // The table and the EDM schedule have an infinite end, and a last level.
    for schedule in [&ddpm() as &dyn Schedule, &EdmSchedule::default()] {
        let last = schedule.log_snr(1.0);
        assert!(TimeGrid::from_log_snr(&[last, f64::INFINITY], schedule).is_ok());
        let error = refused(&[last - 0.01, 0.0], schedule);
        assert!(matches!(error, GridError::OutsideSchedule { index: 0, .. }));
    }
    assert!(matches!(
        refused(&[1.0, 0.5], &narrow),
        GridError::NotDecreasing { index: 1, .. }
    ));
    let reversed = TimeGrid::uniform_log_snr(3, 1.0..=-1.0, &narrow);
    assert_eq!(
        reversed,
        Err(GridError::LogSnrRange {
            low: 1.0,
            high: -1.0
        })
    );
    assert!(TimeGrid::uniform_log_snr(3, -1.0..=f64::INFINITY, &ddpm()).is_err());
}

#[test]
fn impossible_karras_numbers_are_refused() {
    let schedule = EdmSchedule::default();
    for (rho, sigma_min, sigma_max) in [
        (0.0, 0.002, 80.0),
        (7.0, 0.0, 80.0),
        (7.0, 80.0, 0.002),
        (7.0, 0.002, f64::INFINITY),
        (f64::NAN, 0.002, 80.0),
        (7.0, f64::NAN, 80.0),
    ] {
        let error = TimeGrid::karras(5, rho, sigma_min, sigma_max, &schedule);
        assert!(
            matches!(error, Err(GridError::Karras { .. })),
            "{rho} {sigma_min} {sigma_max}"
        );
    }
    let beyond = TimeGrid::karras(5, 7.0, 0.002, 100.0, &schedule);
    assert!(matches!(
        beyond,
        Err(GridError::OutsideSchedule { index: 0, .. })
    ));
    let nothing = TimeGrid::karras(0, 7.0, 0.002, 80.0, &schedule);
    assert_eq!(nothing, Err(GridError::TooFewTimes { count: 1 }));
}

#[test]
fn a_schedule_without_levels_between_the_limits_is_refused() {
    let clean = CosineSchedule::new(13.0, 20.0).expect("a valid range");
    let error = TimeGrid::new(GridKind::LogSnr, 5, &clean);
    assert!(matches!(error, Err(GridError::LogSnrRange { .. })));
    assert!(TimeGrid::new(GridKind::Uniform, 5, &clean).is_ok());
}

#[test]
fn tables_of_too_few_entries_are_refused() {
    let table = DiscreteSchedule::linear(4, 1e-4, 0.02).expect("a valid table");
    let spacings = [
        (TimestepSpacing::Leading { offset: 0 }, 4),
        (TimestepSpacing::Trailing, 4),
        (TimestepSpacing::Linspace, 4),
        (TimestepSpacing::MultistepLeading { offset: 0 }, 3),
        (TimestepSpacing::MultistepLinspace, 3),
    ];
    for (spacing, most) in spacings {
        for steps in 1..=most {
            let grid = TimeGrid::on_table(spacing, steps, &table).expect("enough entries");
            assert_eq!(
                (grid.steps(), grid.times()[steps]),
                (steps, 0.0),
                "{spacing:?}"
            );
        }
        let error = GridError::MoreStepsThanEntries {
            steps: most + 1,
            entries: 4,
        };
        assert_eq!(TimeGrid::on_table(spacing, most + 1, &table), Err(error));
        let none = GridError::TooFewTimes { count: 1 };
        assert_eq!(TimeGrid::on_table(spacing, 0, &table), Err(none));
    }
    let beyond = TimeGrid::on_table(TimestepSpacing::Leading { offset: 1 }, 4, &table);
    assert!(matches!(
        beyond,
        Err(GridError::OutOfRange { index: 0, .. })
    ));
    let one = TimeGrid::on_table(TimestepSpacing::Linspace, 1, &table).expect("one step");
    assert_eq!(one.times(), [1.0, 0.0]);
}

#[test]
fn the_quadratic_times_of_the_paper_lie_on_its_uniform_solver_grid() {
    let solver = TimeGrid::uniform(512).expect("steps > 0");
    let kept = TimeGrid::quadratic(4).expect("steps > 0");
    let positions: Vec<_> = kept.times().iter().map(|&t| solver.position(t)).collect();
    assert_eq!(positions, [0, 224, 384, 480, 512].map(Some));
    assert_eq!(solver.position(0.1), None);
}

#[test]
fn bad_lists_are_refused_with_the_place() {
    let refused = |times: &[f64]| TimeGrid::from_times(times.to_vec()).expect_err("bad grid");
    assert_eq!(refused(&[]), GridError::TooFewTimes { count: 0 });
    assert_eq!(refused(&[1.0]), GridError::TooFewTimes { count: 1 });
    assert_eq!(
        refused(&[1.5, 0.0]),
        GridError::OutOfRange {
            index: 0,
            time: 1.5
        }
    );
    assert!(matches!(
        refused(&[1.0, f64::NAN]),
        GridError::OutOfRange { index: 1, .. }
    ));
    let repeated = GridError::NotDecreasing {
        index: 2,
        previous: 0.5,
        time: 0.5,
    };
    assert_eq!(refused(&[1.0, 0.5, 0.5]), repeated);
}

#[test]
fn names_in_files_are_kebab_case() {
    for (kind, name) in KINDS
        .into_iter()
        .zip(["uniform", "quadratic", "log-snr", "karras"])
    {
        let quoted = serde_json::to_string(&kind).expect("serialises");
        assert_eq!(quoted, format!("\"{name}\""));
    }
    assert!(serde_json::from_str::<GridKind>("\"quad\"").is_err());
}
