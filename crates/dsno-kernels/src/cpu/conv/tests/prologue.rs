//! The convolution behind a normalisation, against the composition in f64 and its differences.

use super::*;
use crate::cpu::norm::{self, GroupNorm};
use crate::resample::Resample;

const GROUPS: usize = 2;
const EPSILON: f64 = 1e-3;

/// What the prologue reads, in f64, in this order: `x`, `γ`, `β` and the modulation's rows.
type Parts = [Vec<f64>; 4];

/// Images of `[height, width, channels]` that are normalised, activated and resampled.
fn composition(
    parts: &Parts,
    [height, width, channels]: [usize; 3],
    resample: Resample,
) -> Vec<f64> {
    let [x, gamma, beta, modulation] = parts;
    let mut result = Vec::new();
    for (n, image) in x.chunks(height * width * channels).enumerate() {
        let of_group = |at: usize| at % channels / (channels / GROUPS);
        let mut activated = vec![0.0; image.len()];
        for group in 0..GROUPS {
            let members: Vec<usize> = (0..image.len())
                .filter(|&at| of_group(at) == group)
                .collect();
            let count = members.len() as f64;
            let mean = members.iter().map(|&at| image[at]).sum::<f64>() / count;
            let variance = members
                .iter()
                .map(|&at| (image[at] - mean).powi(2))
                .sum::<f64>()
                / count;
            for at in members {
                let c = at % channels;
                let h = (image[at] - mean) / (variance + EPSILON).sqrt() * gamma[c] + beta[c];
                let (scale, shift) = if modulation.is_empty() {
                    (0.0, 0.0)
                } else {
                    let rows = modulation.len() / (2 * channels);
                    let row = &modulation[n % rows * 2 * channels..];
                    (row[c], row[channels + c])
                };
                let p = h * (1.0 + scale) + shift;
                activated[at] = p / (1.0 + (-p).exp());
            }
        }
        let of = |y: usize, x: usize, c: usize| activated[(y * width + x) * channels + c];
        let size = |side: usize| match resample {
            Resample::Keep => side,
            Resample::Halve => side / 2,
            Resample::Double => side * 2,
        };
        for (y, x) in (0..size(height)).flat_map(|y| (0..size(width)).map(move |x| (y, x))) {
            result.extend((0..channels).map(|c| match resample {
                Resample::Keep => of(y, x, c),
                Resample::Double => of(y / 2, x / 2, c),
                Resample::Halve => {
                    let [y, x] = [2 * y, 2 * x];
                    (of(y, x, c) + of(y, x + 1, c) + of(y + 1, x, c) + of(y + 1, x + 1, c)) / 4.0
                }
            }));
        }
    }
    result
}

/// `Σ weights ∘ composition`'s derivatives by central differences.
fn differences(parts: &Parts, sizes: [usize; 3], resample: Resample, weights: &[f64]) -> Parts {
    let image = sizes.iter().product::<usize>();
    let scale = weights.len() / (parts[0].len() / image);
    let mut parts = parts.clone();
    [0, 1, 2, 3].map(|which| {
        (0..parts[which].len())
            .map(|at| {
                // A number of `x` is felt in its own image only.
                let images = if which == 0 {
                    at / image..at / image + 1
                } else {
                    0..parts[0].len() / image
                };
                let old = parts[which][at];
                let mut loss = |value: f64| -> f64 {
                    parts[which][at] = value;
                    let all = composition(&parts, sizes, resample);
                    let place = images.start * scale..images.end * scale;
                    all[place.clone()]
                        .iter()
                        .zip(&weights[place])
                        .map(|(y, w)| y * w)
                        .sum()
                };
                let difference = (loss(old + 1e-4) - loss(old - 1e-4)) / 2e-4;
                parts[which][at] = old;
                difference
            })
            .collect()
    })
}

#[test]
fn what_comes_before_is_the_composition_and_so_are_its_gradients() {
    let variants = [Resample::Keep, Resample::Halve, Resample::Double];
    for (resample, rows) in variants.into_iter().flat_map(|r| [(r, 0), (r, 2)]) {
        for (sizes, outputs) in [([4, 4, 16], 4), ([4, 6, 12], 18)] {
            check(resample, rows, sizes, outputs);
        }
    }
}

fn check(resample: Resample, rows: usize, sizes: [usize; 3], channels_out: usize) {
    let [height, width, channels] = sizes;
    let (images, size) = (3, height * width * channels);
    let x: Vec<f32> = noise(1, images * size).iter().map(|x| 2.0 + x).collect();
    let (gamma, beta) = (noise(2, channels), noise(3, channels));
    let modulation = noise(4, rows * 2 * channels);
    let norm = GroupNorm {
        groups: GROUPS,
        epsilon: EPSILON,
        gamma: &gamma,
        beta: &beta,
        modulation: (rows > 0).then_some(&modulation[..]),
        silu: true,
    };
    let prologue = Prologue { norm, resample };
    let parts = [&x, &gamma, &beta, &modulation].map(|part| wide(part));
    let activated = composition(&parts, sizes, resample);
    let side = |side: usize| match resample {
        Resample::Keep => side,
        Resample::Halve => side / 2,
        Resample::Double => side * 2,
    };
    let mut case = case([images, side(height), side(width), channels, channels_out]);
    case.x = activated.iter().map(|&x| x as f32).collect();
    let (y, [dx, dw, db]) = (direct(&case), direct_gradients(&case));
    let expected = differences(&parts, sizes, resample, &dx);
    for algorithm in ALL {
        let (found, statistics) = forward_by(
            algorithm,
            case.shape,
            &x,
            Some(&prologue),
            &case.weight,
            None,
            None,
        );
        let error = relative_rms(&found, &y);
        assert!(
            error < bound(algorithm),
            "{resample:?} {sizes:?} {algorithm:?}: {error:e}"
        );
        let statistics = statistics.expect("of the normalisation");
        assert_eq!(statistics.moments.len(), images * GROUPS);
        let before = Some((&prologue, &statistics));
        let found = backward_by(
            algorithm,
            case.shape,
            &x,
            before,
            &case.weight,
            &case.dy,
            true,
        );
        let (gamma, beta, modulation) = found.norm.expect("behind a normalisation");
        assert_eq!(modulation.is_some(), rows > 0);
        let (x, modulation) = (found.x.expect("wanted"), modulation.unwrap_or_default());
        for (name, found, expected) in [
            ("x", &x, &expected[0]),
            ("gamma", &gamma, &expected[1]),
            ("beta", &beta, &expected[2]),
            ("modulation", &modulation, &expected[3]),
            ("weight", &found.weight, &dw),
            ("bias", &found.bias, &db),
        ] {
            if expected.is_empty() {
                continue;
            }
            let error = relative_rms(found, expected);
            let place = format!("{resample:?} {sizes:?} {algorithm:?} {name}");
            assert!(error < bound(algorithm), "{place}: {error:e}");
        }
    }
}

/// Three images on two threads: the second one begins inside an image.
#[test]
fn fused_is_what_it_is_apart_bit_for_bit() {
    let case = case([3, 20, 16, 32, 48]);
    let (images, pixels, channels) = (3, 20 * 16, 32);
    let (gamma, beta) = (noise(5, channels), noise(6, channels));
    let norm = GroupNorm {
        groups: GROUPS,
        epsilon: EPSILON,
        gamma: &gamma,
        beta: &beta,
        modulation: None,
        silu: true,
    };
    let prologue = Prologue {
        norm,
        resample: Resample::Keep,
    };
    let (x, weight, residual) = (&case.x, &case.weight, Some(&case.dy[..]));
    let (y, statistics) = forward(case.shape, x, Some(&prologue), weight, None, residual);
    let statistics = statistics.expect("of the normalisation");
    let (activated, moments) = norm::forward(&norm, images, pixels, channels, x);
    assert_eq!(statistics, moments);
    assert_eq!(
        y,
        forward(case.shape, &activated, None, weight, None, residual).0
    );

    let before = Some((&prologue, &statistics));
    let found = backward(case.shape, x, before, weight, &case.dy, true);
    let apart = backward(case.shape, &activated, None, weight, &case.dy, true);
    assert_eq!((&found.weight, &found.bias), (&apart.weight, &apart.bias));
    let d_activated = apart.x.expect("wanted");
    let normalised = norm::backward(&norm, images, pixels, channels, x, &moments, &d_activated);
    assert_eq!(found.x.expect("wanted"), normalised.x);
    let (gamma, beta, _) = found.norm.expect("behind a normalisation");
    assert_eq!((gamma, beta), (normalised.gamma, normalised.beta));
}
