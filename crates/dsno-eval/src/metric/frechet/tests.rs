use std::collections::HashMap;
use std::path::Path;

use dsno_checkpoint::read_safetensors;
use serde::Deserialize;

use crate::{FeatureStatistics, Moments, StatisticsError, frechet_distance};

/// A covariance of full rank with a spread of eigenvalues, and a mean.
fn example(dim: usize, phase: f64) -> FeatureStatistics {
    let mut moments = Moments::new(dim);
    let rows: Vec<f64> = (0..dim * dim * 4)
        .map(|i| ((i * i) as f64 * 0.11 + phase).sin() * (i % dim + 1) as f64)
        .collect();
    moments.push_batch(&rows).unwrap();
    moments.finish().unwrap()
}

#[test]
fn is_zero_from_a_gaussian_to_itself() {
    for dim in [1, 2, 17, 64] {
        let p = example(dim, 0.3);
        assert!(frechet_distance(&p, &p).unwrap() <= 1e-13 * p.trace());
    }
}

#[test]
fn is_symmetric() {
    let (p, q) = (example(24, 0.0), example(24, 1.0));
    let (there, back) = (
        frechet_distance(&p, &q).unwrap(),
        frechet_distance(&q, &p).unwrap(),
    );
    assert!(there > 1.0);
    assert!((there - back).abs() <= 1e-13 * (p.trace() + q.trace()));
}

#[test]
fn grows_by_the_squared_length_of_a_shift() {
    let (p, q) = (example(8, 0.0), example(8, 2.0));
    let before = frechet_distance(&p, &p).unwrap();
    let moved: Vec<f64> = p
        .mean()
        .iter()
        .enumerate()
        .map(|(i, m)| m + i as f64)
        .collect();
    let shifted = FeatureStatistics::new(moved, p.covariance().to_vec(), None).unwrap();
    let squared: f64 = (0..8).map(|i| f64::from(i * i)).sum();
    assert!((frechet_distance(&p, &shifted).unwrap() - before - squared).abs() < 1e-11);
    assert!(frechet_distance(&p, &q).unwrap() > 0.0);
}

#[test]
fn equals_the_closed_form_for_diagonal_gaussians() {
    let dim = 40;
    let diagonal = |sigma: &dyn Fn(usize) -> f64| {
        let mut covariance = vec![0.0; dim * dim];
        for i in 0..dim {
            covariance[i * dim + i] = sigma(i).powi(2);
        }
        FeatureStatistics::new(vec![0.0; dim], covariance, None).unwrap()
    };
    let (s, r) = (
        |i: usize| 1.0 + i as f64,
        |i: usize| if i < 10 { 0.0 } else { 0.5 * i as f64 },
    );
    let expected: f64 = (0..dim).map(|i| (s(i) - r(i)).powi(2)).sum();
    let found = frechet_distance(&diagonal(&s), &diagonal(&r)).unwrap();
    assert!((found - expected).abs() < 1e-12 * expected);
}

#[test]
fn is_the_mean_term_between_two_points() {
    let point = |at: f64| FeatureStatistics::new(vec![at; 3], vec![0.0; 9], None).unwrap();
    assert!((frechet_distance(&point(0.0), &point(2.0)).unwrap() - 12.0).abs() < 1e-14);
}

#[test]
fn takes_rounding_below_zero_as_zero_and_refuses_more() {
    let with = |eigenvalue: f64| {
        FeatureStatistics::new(vec![0.0, 0.0], vec![1.0, 0.0, 0.0, eigenvalue], None).unwrap()
    };
    assert!(frechet_distance(&with(-1e-9), &with(0.0)).unwrap() < 1e-8);
    let refused = frechet_distance(&with(-1e-3), &with(0.0));
    assert!(
        matches!(refused, Err(StatisticsError::NotPositiveSemidefinite { smallest, .. })
            if (smallest + 1e-3).abs() < 1e-12)
    );
}

#[test]
fn refuses_different_numbers_of_features() {
    assert_eq!(
        frechet_distance(&example(2, 0.0), &example(3, 0.0)),
        Err(StatisticsError::DimensionMismatch { left: 2, right: 3 })
    );
}

#[derive(Deserialize)]
struct Case {
    n: [u64; 2],
    d: usize,
    fid_eig: f64,
}

#[test]
fn agrees_with_golden_values_from_numpy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let cases: HashMap<String, Case> =
        serde_json::from_slice(&std::fs::read(folder.join("metrics.json")).unwrap()).unwrap();
    let tensors = read_safetensors(&folder.join("metrics.safetensors")).unwrap();
    let gaussian = |name: &str, dim: usize| {
        let mut moments = Moments::new(dim);
        moments.push_batch(&tensors[name].values).unwrap();
        moments.finish().unwrap()
    };
    // NumPy's form squares the spectrum, so its null space carries √ε of noise when the rank is
    // short: there the reference itself is good to about 1e-8.
    for (name, tolerance) in [("small", 1e-12), ("mid", 1e-12), ("rank_deficient", 1e-7)] {
        let case = &cases[name];
        let (a, b) = (
            gaussian(&format!("{name}.a"), case.d),
            gaussian(&format!("{name}.b"), case.d),
        );
        assert_eq!([a.count(), b.count()], case.n.map(Some));
        let found = frechet_distance(&a, &b).unwrap();
        let relative = (found - case.fid_eig).abs() / case.fid_eig;
        assert!(
            relative < tolerance,
            "{name}: {found} against {}, off by {relative:e}",
            case.fid_eig
        );
    }
}

#[derive(Deserialize)]
struct Wide {
    name: String,
    mean_1: Vec<f64>,
    covariance_1: Vec<f64>,
    mean_2: Vec<f64>,
    covariance_2: Vec<f64>,
    trace: f64,
    distance: f64,
}

/// Golden values computed with 80 digits. Without the scaling these are off by 1e-8 of the traces.
#[test]
fn keeps_its_digits_over_sixteen_orders_of_magnitude() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/frechet.json");
    let cases: Vec<Wide> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let p = FeatureStatistics::new(case.mean_1, case.covariance_1, None).unwrap();
        let q = FeatureStatistics::new(case.mean_2, case.covariance_2, None).unwrap();
        for (p, q) in [(&p, &q), (&q, &p)] {
            let off = (frechet_distance(p, q).unwrap() - case.distance).abs();
            assert!(off < 1e-13 * case.trace, "{}: off by {off:e}", case.name);
        }
    }
}

#[test]
fn variances_from_the_smallest_to_the_largest_have_the_closed_form() {
    let dim = 33;
    // Variances from 1e8 to 1e-8, falling in one and growing in the other.
    let variance = |i: usize| 10_f64.powf(8.0 - i as f64 / 2.0);
    let diagonal = |variance: &dyn Fn(usize) -> f64| {
        let mut covariance = vec![0.0; dim * dim];
        (0..dim).for_each(|i| covariance[i * dim + i] = variance(i));
        FeatureStatistics::new(vec![0.0; dim], covariance, None).unwrap()
    };
    let (p, q) = (diagonal(&variance), diagonal(&|i| variance(dim - 1 - i)));
    let term = |i: usize| (variance(i).sqrt() - variance(dim - 1 - i).sqrt()).powi(2);
    let expected: f64 = (0..dim).map(term).sum();
    let off = (frechet_distance(&p, &q).unwrap() - expected).abs();
    assert!(off < 1e-13 * (p.trace() + q.trace()), "{off:e}");
}

/// Semidefinite up to `f32` rounding of the largest variance, as other tools write it.
#[test]
fn statistics_that_only_the_scaling_makes_indefinite_are_read() {
    let rounded = vec![1.0, 1e-7, 1e-7, 1e-16];
    let p = FeatureStatistics::new(vec![0.0; 2], rounded, None).unwrap();
    let q = FeatureStatistics::new(vec![0.0; 2], vec![1.0, 0.0, 0.0, 0.0], None).unwrap();
    assert!(frechet_distance(&p, &q).unwrap() < 1e-6);
    // A constant feature cannot vary with another.
    let crooked = vec![1.0, 0.5, 0.5, 0.0];
    let p = FeatureStatistics::new(vec![0.0; 2], crooked, None).unwrap();
    assert!(matches!(
        frechet_distance(&p, &q),
        Err(StatisticsError::NotPositiveSemidefinite { .. })
    ));
}
