use std::f64::consts::TAU;

use super::{TemporalShape, backward, forward};
use crate::cpu::testing::{noise, relative_rms};

/// Rounding of sums of f32 products.
const ROUNDING: f64 = 2e-6;

/// Times and modes, of which a single time ignores the second.
const LENGTHS: [(usize, usize); 14] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (2, 2),
    (3, 1),
    (3, 2),
    (4, 1),
    (4, 2),
    (4, 3),
    (5, 3),
    (8, 1),
    (8, 4),
    (8, 5),
    (9, 5),
];

fn shape(
    samples: usize,
    [times, modes]: [usize; 2],
    pixels: usize,
    channels: usize,
) -> TemporalShape {
    TemporalShape {
        samples,
        times,
        pixels,
        channels,
        modes,
    }
}

/// Input, weights of the scale that training finds, and a gradient of the result.
fn case(shape: TemporalShape) -> [Vec<f32>; 3] {
    let TemporalShape {
        samples,
        times,
        pixels,
        channels,
        modes,
    } = shape;
    let len = samples * times * pixels * channels;
    let mut weight = noise(2, channels * channels * modes * 2);
    for w in &mut weight {
        *w /= (channels as f32).sqrt();
    }
    [noise(1, len), weight, noise(3, len)]
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}

/// `(Re, Im)` of a product of complex numbers.
fn times(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// The layer by its definition: the sum of the complex DFT over all frequencies `0..T`, of which those
/// above `T/2` are conjugates, and of which only the kept ones are not 0. Returns what goes into the
/// activation, and the result.
fn direct(shape: TemporalShape, u: &[f64], weight: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let TemporalShape {
        samples,
        times: t_count,
        pixels,
        channels,
        modes,
    } = shape;
    let mut mixed = vec![0.0; u.len()];
    let at =
        |b: usize, t: usize, p: usize, c: usize| ((b * t_count + t) * pixels + p) * channels + c;
    let turn = |k: usize, t: usize| {
        let angle = TAU * (k * t) as f64 / t_count as f64;
        [angle.cos(), angle.sin()]
    };
    for (b, p) in (0..samples).flat_map(|b| (0..pixels).map(move |p| (b, p))) {
        for k in 0..modes.min(t_count / 2 + 1) {
            let spectrum: Vec<[f64; 2]> = (0..channels)
                .map(|c| {
                    (0..t_count).fold([0.0, 0.0], |sum, t| {
                        let [cos, sin] = turn(k, t);
                        let x = u[at(b, t, p, c)];
                        [sum[0] + x * cos, sum[1] - x * sin]
                    })
                })
                .collect();
            for o in 0..channels {
                let product = (0..channels).fold([0.0, 0.0], |sum, i| {
                    let w = 2 * (k + modes * (o + channels * i));
                    let [re, im] = times(spectrum[i], [weight[w], weight[w + 1]]);
                    [sum[0] + re, sum[1] + im]
                });
                let alone = k == 0 || 2 * k == t_count;
                for t in 0..t_count {
                    let part = if alone {
                        product[0] * turn(k, t)[0]
                    } else {
                        2.0 * times(product, turn(k, t))[0]
                    };
                    mixed[at(b, t, p, o)] += part / t_count as f64;
                }
            }
        }
    }
    let active = |(u, &x): (&f64, &f64)| u + if x < 0.0 { 0.01 * x } else { x };
    let result = u.iter().zip(&mixed).map(active).collect();
    (mixed, result)
}

/// `Σ y·dy` where every activation keeps the side of 0 that it has at `sides`: what finite differences
/// of the layer are where no activation crosses 0.
fn loss(shape: TemporalShape, u: &[f64], weight: &[f64], dy: &[f64], sides: &[f64]) -> f64 {
    let (mixed, _) = direct(shape, u, weight);
    let slope = |side: f64| if side < 0.0 { 0.01 } else { 1.0 };
    let terms = u.iter().zip(&mixed).zip(dy.iter().zip(sides));
    terms
        .map(|((u, x), (dy, &side))| dy * (u + slope(side) * x))
        .sum()
}

/// Gradients of [`loss`], which is quadratic at most in any one number, by central differences.
fn differences(shape: TemporalShape, u: &[f64], weight: &[f64], dy: &[f64]) -> [Vec<f64>; 2] {
    let (sides, _) = direct(shape, u, weight);
    let step = 0.5;
    let gradient = |values: &[f64], at_values: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
        let mut moved = values.to_vec();
        let difference = |k: usize| {
            moved[k] = values[k] + step;
            let above = at_values(&moved);
            moved[k] = values[k] - step;
            let below = at_values(&moved);
            moved[k] = values[k];
            (above - below) / (2.0 * step)
        };
        (0..values.len()).map(difference).collect()
    };
    [
        gradient(u, &|u| loss(shape, u, weight, dy, &sides)),
        gradient(weight, &|weight| loss(shape, u, weight, dy, &sides)),
    ]
}

#[test]
fn equals_the_complex_transform() {
    for (times, modes) in LENGTHS {
        for (samples, pixels, channels) in [
            (1, 1, 1),
            (3, 7, 4),
            (2, 5, 12),
            (9, 4, 8),
            (1, 35, 33),
            (2, 130, 20),
        ] {
            let shape = shape(samples, [times, modes], pixels, channels);
            let [u, weight, _] = case(shape);
            let (_, expected) = direct(shape, &wide(&u), &wide(&weight));
            let error = relative_rms(&forward(shape, &u, &weight), &expected);
            assert!(error < ROUNDING, "{shape:?}: {error:e}");
        }
    }
}

#[test]
fn gradients_equal_differences() {
    for (times, modes) in LENGTHS {
        for (samples, pixels, channels) in [(1, 1, 1), (2, 3, 4), (3, 1, 5)] {
            let shape = shape(samples, [times, modes], pixels, channels);
            let [u, weight, dy] = case(shape);
            let (du, dweight) = backward(shape, &u, &weight, &dy);
            let expected = differences(shape, &wide(&u), &wide(&weight), &wide(&dy));
            let errors = [
                relative_rms(&du, &expected[0]),
                relative_rms(&dweight, &expected[1]),
            ];
            assert!(
                errors.iter().all(|&error| error < ROUNDING),
                "{shape:?}: {errors:?}"
            );
        }
    }
}

/// The layer between activations is linear in the input and in the weights, so gradients of
/// larger cases are right if they are the adjoints: `⟨dy, J·v⟩ = ⟨Jᵀdy, v⟩` in every direction.
#[test]
fn gradients_of_blocks_are_adjoint() {
    for (samples, times, modes, pixels, channels) in
        [(5, 4, 2, 300, 32), (9, 4, 3, 33, 48), (1, 8, 5, 529, 17)]
    {
        let shape = shape(samples, [times, modes], pixels, channels);
        let [u, weight, dy] = case(shape);
        let (du, dweight) = backward(shape, &u, &weight, &dy);
        let [u, weight, dy] = [wide(&u), wide(&weight), wide(&dy)];
        let (sides, _) = direct(shape, &u, &weight);
        let along = |direction: &[f32], gradient: &[f32]| -> f64 {
            gradient
                .iter()
                .zip(direction)
                .map(|(&g, &v)| f64::from(g) * f64::from(v))
                .sum()
        };
        let length = |gradient: &[f32]| along(gradient, gradient).sqrt();
        let moved = |from: &[f64], by: &[f32], sign: f64| -> Vec<f64> {
            from.iter()
                .zip(by)
                .map(|(x, &v)| x + sign * f64::from(v))
                .collect()
        };
        let v = noise(4, u.len());
        let change = loss(shape, &moved(&u, &v, 0.5), &weight, &dy, &sides)
            - loss(shape, &moved(&u, &v, -0.5), &weight, &dy, &sides);
        assert!(
            (along(&v, &du) - change).abs() < ROUNDING * length(&du),
            "{shape:?}"
        );
        let v = noise(5, weight.len());
        let change = loss(shape, &u, &moved(&weight, &v, 0.5), &dy, &sides)
            - loss(shape, &u, &moved(&weight, &v, -0.5), &dy, &sides);
        assert!(
            (along(&v, &dweight) - change).abs() < ROUNDING * length(&dweight),
            "{shape:?}"
        );
    }
}

#[test]
fn slope_at_zero_is_one() {
    let shape = shape(1, [4, 2], 3, 2);
    let [u, _, dy] = case(shape);
    let weight = vec![0.0; 16];
    assert_eq!(forward(shape, &u, &weight), u);
    let (du, dweight) = backward(shape, &u, &weight, &dy);
    assert_eq!(du, dy);
    let expected = differences(shape, &wide(&u), &wide(&weight), &wide(&dy));
    assert!(relative_rms(&dweight, &expected[1]) < ROUNDING);
}

#[test]
fn repeats_bit_for_bit() {
    let shape = shape(6, [4, 2], 200, 24);
    let [u, weight, dy] = case(shape);
    let first = (
        forward(shape, &u, &weight),
        backward(shape, &u, &weight, &dy),
    );
    for _ in 0..3 {
        assert!(
            (
                forward(shape, &u, &weight),
                backward(shape, &u, &weight, &dy)
            ) == first
        );
    }
}

/// Other threads cut other blocks; only the sum over blocks of the weights' gradient may differ.
#[test]
fn threads_change_nothing_but_sums() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let shape = shape(3, [4, 2], 300, 20);
            let [u, weight, dy] = case(shape);
            (
                forward(shape, &u, &weight),
                backward(shape, &u, &weight, &dy),
            )
        })
    };
    let (y, (du, dweight)) = with(1);
    for threads in [2, 3, 5] {
        let (other_y, (other_du, other_dweight)) = with(threads);
        assert!(y == other_y && du == other_du);
        assert!(relative_rms(&other_dweight, &wide(&dweight)) < ROUNDING);
    }
}

#[test]
fn nothing_gives_nothing() {
    let shape = shape(0, [4, 2], 5, 2);
    assert!(forward(shape, &[], &noise(1, 16)).is_empty());
    assert_eq!(
        backward(shape, &[], &noise(1, 16), &[]),
        (vec![], vec![0.0; 16])
    );
}
