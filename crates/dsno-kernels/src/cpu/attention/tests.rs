use super::{AttentionShape, backward, forward};
use crate::cpu::testing::{noise, relative_rms};

/// Rounding of sums of f32 products.
const ROUNDING: f64 = 2e-6;

/// Images, tokens, channels, heads: single ones, odd ones, several heads, several blocks of rows.
const SHAPES: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [2, 4, 4, 2],
    [1, 9, 12, 4],
    [3, 25, 15, 3],
    [2, 64, 64, 1],
    [1, 256, 48, 3],
    [1, 300, 34, 2],
    [5, 49, 33, 1],
    [1, 1024, 24, 2],
];

fn case([images, tokens, channels, heads]: [usize; 4]) -> (AttentionShape, Vec<f32>, Vec<f32>) {
    let shape = AttentionShape {
        images,
        tokens,
        channels,
        heads,
    };
    let mut qkv = noise(1, images * tokens * 3 * channels);
    // Some rows attend to few keys.
    for (row, qkv) in qkv.chunks_exact_mut(3 * channels).enumerate() {
        for x in qkv {
            *x *= (1 + row % 3) as f32;
        }
    }
    (shape, qkv, noise(2, images * tokens * channels))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}

/// The definition, one query after the other; calls back with each query's probabilities.
fn direct(
    shape: AttentionShape,
    qkv: &[f64],
    mut each: impl FnMut([usize; 3], &[f64]),
) -> Vec<f64> {
    let AttentionShape {
        images,
        tokens,
        channels,
        heads,
    } = shape;
    let d = channels / heads;
    let at = |n: usize, l: usize, h: usize, part: usize| {
        ((n * tokens + l) * heads + h) * 3 * d + part * d
    };
    let mut out = vec![0.0; images * tokens * channels];
    for (n, h) in (0..images).flat_map(|n| (0..heads).map(move |h| (n, h))) {
        for l in 0..tokens {
            let q = &qkv[at(n, l, h, 0)..][..d];
            let scores = (0..tokens).map(|m| {
                let k = &qkv[at(n, m, h, 1)..][..d];
                q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() / (d as f64).sqrt()
            });
            let mut p: Vec<f64> = scores.map(f64::exp).collect();
            let sum: f64 = p.iter().sum();
            for p in &mut p {
                *p /= sum;
            }
            for (m, p) in p.iter().enumerate() {
                for c in 0..d {
                    out[(n * tokens + l) * channels + h * d + c] += p * qkv[at(n, m, h, 2) + c];
                }
            }
            each([n, h, l], &p);
        }
    }
    out
}

/// Gradients in closed form: a probability's log changes by its score's change less the mean change.
fn direct_gradient(shape: AttentionShape, qkv: &[f64], dout: &[f64]) -> Vec<f64> {
    let AttentionShape {
        tokens,
        channels,
        heads,
        ..
    } = shape;
    let d = channels / heads;
    let at = |n: usize, l: usize, h: usize, part: usize| {
        ((n * tokens + l) * heads + h) * 3 * d + part * d
    };
    let mut dqkv = vec![0.0; qkv.len()];
    direct(shape, qkv, |[n, h, l], p| {
        let dout = &dout[(n * tokens + l) * channels + h * d..][..d];
        let worth = |m: usize| -> f64 { (0..d).map(|c| dout[c] * qkv[at(n, m, h, 2) + c]).sum() };
        let worths: Vec<f64> = (0..tokens).map(worth).collect();
        let mean: f64 = p.iter().zip(&worths).map(|(p, worth)| p * worth).sum();
        for m in 0..tokens {
            let ds = p[m] * (worths[m] - mean) / (d as f64).sqrt();
            for c in 0..d {
                dqkv[at(n, m, h, 2) + c] += p[m] * dout[c];
                dqkv[at(n, m, h, 1) + c] += ds * qkv[at(n, l, h, 0) + c];
                dqkv[at(n, l, h, 0) + c] += ds * qkv[at(n, m, h, 1) + c];
            }
        }
    });
    dqkv
}

#[test]
fn equals_the_definition() {
    for sizes in SHAPES {
        let (shape, qkv, _) = case(sizes);
        let expected = direct(shape, &wide(&qkv), |_, _| ());
        let error = relative_rms(&forward(shape, &qkv), &expected);
        assert!(error < ROUNDING, "{shape:?}: {error:e}");
    }
}

#[test]
fn gradient_equals_the_closed_form() {
    for sizes in SHAPES.into_iter().skip(1) {
        let (shape, qkv, dout) = case(sizes);
        let expected = direct_gradient(shape, &wide(&qkv), &wide(&dout));
        let error = relative_rms(&backward(shape, &qkv, &dout), &expected);
        assert!(error < ROUNDING, "{shape:?}: {error:e}");
    }
}

#[test]
fn gradient_equals_differences() {
    for sizes in [[2, 4, 4, 2], [1, 5, 6, 1], [1, 9, 12, 4]] {
        let (shape, qkv, dout) = case(sizes);
        let mut moved = wide(&qkv);
        let step = 1e-4;
        let mut loss = |k: usize, by: f64| -> f64 {
            let old = moved[k];
            moved[k] += by;
            let out = direct(shape, &moved, |_, _| ());
            moved[k] = old;
            out.iter()
                .zip(&dout)
                .map(|(out, &dout)| out * f64::from(dout))
                .sum()
        };
        let expected: Vec<f64> = (0..qkv.len())
            .map(|k| (loss(k, step) - loss(k, -step)) / (2.0 * step))
            .collect();
        let error = relative_rms(&backward(shape, &qkv, &dout), &expected);
        assert!(error < ROUNDING, "{shape:?}: {error:e}");
    }
}

/// One token attends to itself whatever its query; large scores do not overflow.
#[test]
fn ends_of_the_range_are_right() {
    let (shape, qkv, dout) = case([3, 1, 4, 2]);
    let dqkv = backward(shape, &qkv, &dout);
    for (head, (dqkv, dout)) in dqkv.chunks_exact(6).zip(dout.chunks_exact(2)).enumerate() {
        assert_eq!(dqkv, [0.0, 0.0, 0.0, 0.0, dout[0], dout[1]], "head {head}");
    }
    let (shape, mut qkv, dout) = case([1, 16, 8, 1]);
    for x in &mut qkv {
        *x *= 1e4;
    }
    let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
    assert!(finite(&forward(shape, &qkv)) && finite(&backward(shape, &qkv, &dout)));
}

#[test]
fn repeats_bit_for_bit() {
    for sizes in [[1, 300, 34, 2], [7, 64, 64, 1]] {
        let (shape, qkv, dout) = case(sizes);
        let first = (forward(shape, &qkv), backward(shape, &qkv, &dout));
        for _ in 0..3 {
            assert!((forward(shape, &qkv), backward(shape, &qkv, &dout)) == first);
        }
    }
}

/// However many threads share few or many images.
#[test]
fn threads_change_nothing_but_sums() {
    for sizes in [[1, 300, 34, 2], [3, 100, 40, 2], [2, 64, 64, 1]] {
        let (shape, qkv, dout) = case(sizes);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| (forward(shape, &qkv), backward(shape, &qkv, &dout)))
        };
        let (out, dqkv) = with(1);
        for threads in [2, 3, 5] {
            let (other_out, other_dqkv) = with(threads);
            assert!(other_out == out, "{shape:?} on {threads} threads");
            assert!(relative_rms(&other_dqkv, &wide(&dqkv)) < ROUNDING);
        }
    }
}

#[test]
fn nothing_gives_nothing() {
    let shape = AttentionShape {
        images: 0,
        tokens: 16,
        channels: 8,
        heads: 2,
    };
    assert!(forward(shape, &[]).is_empty() && backward(shape, &[], &[]).is_empty());
}
