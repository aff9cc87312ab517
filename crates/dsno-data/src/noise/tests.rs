use super::*;

#[test]
fn the_first_values_are_pinned() {
    assert_eq!(gaussian(1, 0, 4), golden::NOISE_1_0);
    assert_eq!(gaussian(321, 49_999, 4), golden::NOISE_321_49999);
    assert_eq!(uniform(1, 0, 2), golden::UNIFORM_1_0);
    let labels: Vec<_> = (0..8).map(|i| label(1, i, 10)).collect();
    assert_eq!(labels, golden::LABELS_1);
}

#[test]
fn moments_are_those_of_a_standard_normal() {
    let values: Vec<f64> = (0..200)
        .flat_map(|i| gaussian(9, i, 1000))
        .map(f64::from)
        .collect();
    let n = values.len() as f64;
    let moment = |p: i32| values.iter().map(|v| v.powi(p)).sum::<f64>() / n;
    // Five standard errors of each moment at n = 200 000.
    assert!(moment(1).abs() < 5.0 / n.sqrt(), "mean {}", moment(1));
    assert!(
        (moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
        "variance {}",
        moment(2)
    );
    assert!(
        moment(3).abs() < 5.0 * (15.0 / n).sqrt(),
        "skewness {}",
        moment(3)
    );
    assert!(
        (moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt(),
        "kurtosis {}",
        moment(4)
    );
}

#[test]
fn streams_and_indices_share_no_numbers() {
    let first = |stream: Stream, index| stream.draws(1, index).bits();
    let streams = [
        Stream::Noise,
        Stream::HeldOutNoise,
        Stream::TrainingNoise,
        Stream::Label,
        Stream::Time,
        Stream::Order,
        Stream::Flip,
        Stream::Dropout,
        Stream::Weights,
    ];
    let mut all: Vec<_> = streams
        .iter()
        .flat_map(|&s| (0..100).map(move |i| first(s, i)))
        .collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 900);
}

#[test]
fn draws_below_a_bound_are_even() {
    let mut counts = [0_u32; 6];
    let mut draws = Stream::Label.draws(5, 0);
    (0..60_000).for_each(|_| counts[draws.below(6) as usize] += 1);
    assert!(
        counts.iter().all(|c| c.abs_diff(10_000) < 500),
        "{counts:?}"
    );
}
