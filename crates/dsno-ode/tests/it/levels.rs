//! Tables and grids of noise levels against NumPy and against the lists of diffusers' schedulers.

use dsno_ode::grid::TimestepSpacing;
use dsno_ode::{
    CosineSchedule, Ddim, DiscreteSchedule, EdmSchedule, GridKind, Schedule, TimeGrid, solve,
};

use crate::diffusers::{case, table};
use crate::support::{
    CLOSED_FORM, MIXTURE, assert_agree, golden, golden_in, mixture, numbers, points, values,
};

#[test]
fn tables_hold_the_published_levels() {
    let part = |path: &[&str]| numbers(&golden_in("levels.json", path));
    let entries = part(&["entries"]);
    for (name, table) in [
        ("linear", DiscreteSchedule::linear(1000, 1e-4, 0.02)),
        (
            "scaled_linear",
            DiscreteSchedule::scaled_linear(1000, 0.00085, 0.012),
        ),
        ("squared_cosine", DiscreteSchedule::squared_cosine(1000)),
    ] {
        let table = table.expect("a valid table");
        let levels = entries.iter().map(|&index| table.at(table.time_of(index)));
        let (alpha, sigma): (Vec<f64>, Vec<f64>) = levels
            .map(|at| (at.alpha().powi(2), at.sigma().powi(2)))
            .unzip();
        let expected = part(&["alphas_cumprod", name]);
        // Relative to the value, since the last entries are as small as 1e-9.
        for (found, expected) in alpha.iter().zip(&expected) {
            assert!(
                (found / expected - 1.0).abs() < TABLE,
                "{name}: {found} {expected}"
            );
        }
        let rest: Vec<f64> = expected.iter().map(|alpha_bar| 1.0 - alpha_bar).collect();
        assert_agree(&sigma, &rest, CLOSED_FORM);
    }
}

/// The reference multiplies a thousand rounded factors `1 − β`; the last of the squared cosine is
/// `1 − 0.999`, which carries 1e-13.
const TABLE: f64 = 1e-12;

#[test]
fn the_karras_grid_has_the_published_sigmas() {
    let schedule = EdmSchedule::default();
    let expected = numbers(&golden_in("levels.json", &["karras_18"]));
    let of_kind = TimeGrid::new(GridKind::Karras, 18, &schedule).expect("steps > 0");
    let of_numbers = TimeGrid::karras(18, 7.0, 0.002, 80.0, &schedule).expect("inside");
    for grid in [of_kind, of_numbers] {
        let times = &grid.times()[..18];
        let sigmas: Vec<f64> = times.iter().map(|&t| schedule.at(t).sigma()).collect();
        assert_agree(&sigmas, &expected, CLOSED_FORM);
    }
}

#[test]
fn grids_on_a_table_visit_the_entries_that_published_samplers_visit() {
    use TimestepSpacing::{Leading, Linspace, MultistepLeading, MultistepLinspace, Trailing};
    for (name, spacing) in [
        ("ddim_leading", Leading { offset: 0 }),
        ("ddim_50", Leading { offset: 0 }),
        ("ddim_trailing", Trailing),
        ("ddim_linspace", Linspace),
        ("euler", Linspace),
        ("euler_leading", Leading { offset: 0 }),
        ("dpmpp_2m", MultistepLinspace),
        ("dpmpp_2m_20", MultistepLinspace),
        ("dpmpp_3s_12", MultistepLinspace),
        ("unipc_2_bh2", MultistepLinspace),
        ("dpmpp_2m_leading", MultistepLeading { offset: 0 }),
        ("dpmpp_2m_trailing", Trailing),
    ] {
        let indices = case(name).indices;
        let grid = TimeGrid::on_table(spacing, indices.len(), &table()).expect("enough entries");
        let same = TimeGrid::from_indices(&indices, &table()).expect("falling");
        assert_eq!(grid, same, "{name}");
    }
}

#[test]
fn grids_of_levels_on_a_table_have_the_published_sigmas() {
    let table = table();
    let ratio = |t: f64| (-0.5 * table.log_snr(t)).exp();
    let (first, last) = (ratio(1.0), ratio(0.001));
    let karras = TimeGrid::karras(10, 7.0, last, first, &table).expect("inside");
    let range = table.log_snr(1.0)..=table.log_snr(0.001);
    let uniform = TimeGrid::uniform_log_snr(9, range, &table).expect("inside");
    for (name, grid) in [("euler_karras", karras), ("dpmpp_2m_lu", uniform)] {
        let expected = case(name).sigmas;
        let found: Vec<f64> = grid.times()[..10].iter().map(|&t| ratio(t)).collect();
        for (found, expected) in found.iter().zip(&expected) {
            // A time of a flat stretch of the table carries λ to 1e-12.
            assert!(
                (found / expected - 1.0).abs() < 1e-11,
                "{name}: {found} {expected}"
            );
        }
    }
}

#[test]
fn a_solve_over_the_same_levels_is_the_same_in_the_units_of_both_processes() {
    let (preserving, exploding) = (CosineSchedule::default(), EdmSchedule::default());
    let levels: Vec<f64> = (0..=12).map(|i| -8.5 + 1.5 * f64::from(i)).collect();
    let run = |schedule: &dyn Schedule| {
        let grid = TimeGrid::from_log_snr(&levels, schedule).expect("inside");
        let scale = schedule.level(levels[0]).scale();
        let start = points(&golden(&["ddim", "z_1"])) * scale;
        let solved =
            solve(&mixture(), &Ddim, schedule, &grid, start, grid.times()).expect("solves");
        let states = solved.states.iter().zip(&levels);
        states
            .flat_map(|(z, &log_snr)| values(&(z.clone() / schedule.level(log_snr).scale())))
            .collect::<Vec<f64>>()
    };
    assert_agree(&run(&exploding), &run(&preserving), MIXTURE);
}
