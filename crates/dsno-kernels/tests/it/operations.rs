//! All operations over the shapes of networks, large and tiny.

use burn::tensor::Tensor;
use dsno_kernels::{
    GroupNorm, Resample, attention, concat_channels, conv1x1, conv3x3, group_norm, group_norm_silu,
    norm_silu_conv3x3, resample, silu, temporal_convolution,
};

use crate::compare::check;

/// Sums of f32 products in another order.
const EXACT: f64 = 2e-6;
/// Winograd's F(4×4, 3×3), whose transforms lose about a digit.
const WINOGRAD: f64 = 2e-5;

/// Maps `[N, H, W]`, and channels in and out.
const MAPS: [([usize; 3], [usize; 2]); 10] = [
    ([4, 16, 16], [32, 32]),
    ([4, 8, 8], [96, 32]),
    ([2, 8, 8], [64, 64]),
    ([4, 7, 5], [12, 20]),
    ([2, 1, 1], [8, 4]),
    ([2, 2, 2], [4, 8]),
    ([4, 16, 16], [1, 32]),
    ([2, 12, 12], [3, 16]),
    ([2, 16, 16], [32, 1]),
    ([2, 6, 10], [32, 3]),
];

fn next<const D: usize>(
    inputs: &mut impl Iterator<Item = Tensor<1>>,
    dims: [usize; D],
) -> Tensor<D> {
    inputs
        .next()
        .expect("as many inputs as lengths")
        .reshape(dims)
}

#[test]
fn convolution() {
    for ([n, h, w], [i, o]) in MAPS {
        let pixels = n * h * w;
        let lengths = [pixels * i, o * i * 9, o, pixels * o];
        check(
            &format!("{n}×{h}×{w}, {i} to {o}"),
            WINOGRAD,
            &lengths,
            |inputs| {
                let inputs = &mut inputs.into_iter();
                let (x, weight) = (next(inputs, [n, h, w, i]), next(inputs, [o, i, 3, 3]));
                let (bias, residual) = (next(inputs, [o]), next(inputs, [n, h, w, o]));
                conv3x3(x, weight, bias, Some(residual)).reshape([pixels * o])
            },
        );
    }
}

#[test]
fn normalised_convolution() {
    let changes = [Resample::Keep, Resample::Halve, Resample::Double];
    for ([n, h, w], [i, o]) in MAPS {
        for change in changes {
            let [hh, ww] = match change {
                Resample::Keep => [h, w],
                Resample::Halve => [h / 2, w / 2],
                Resample::Double => [2 * h, 2 * w],
            };
            if hh == 0 || i == 1 {
                continue;
            }
            let groups = if i % 4 == 0 { i / 4 } else { 1 };
            let pixels = n * hh * ww;
            let lengths = [n * h * w * i, i, i, 4 * i, o * i * 9, o, pixels * o];
            let name = format!("{n}×{h}×{w}, {i} to {o}, {change:?}");
            check(&name, WINOGRAD, &lengths, |inputs| {
                let inputs = &mut inputs.into_iter();
                let x = next(inputs, [n, h, w, i]);
                let norm = GroupNorm {
                    gamma: next(inputs, [i]) + 1.5,
                    beta: next(inputs, [i]),
                    groups,
                    epsilon: 1e-6,
                    modulation: Some(next(inputs, [2, 2 * i])),
                };
                let (weight, bias) = (next(inputs, [o, i, 3, 3]), next(inputs, [o]));
                let residual = next(inputs, [n, hh, ww, o]);
                norm_silu_conv3x3(x, norm, change, weight, bias, Some(residual))
                    .reshape([pixels * o])
            });
        }
    }
}

#[test]
fn normalisation() {
    for (([n, h, w], [c, _]), silu) in MAPS.into_iter().zip([true, false].into_iter().cycle()) {
        if h * w * c < 32 {
            continue; // A group of a few values has no gradient to speak of.
        }
        let groups = if c % 4 == 0 { c / 4 } else { 1 };
        let lengths = [n * h * w * c, c, c, 2 * n * c];
        check(&format!("{n}×{h}×{w}×{c}"), EXACT, &lengths, |inputs| {
            let inputs = &mut inputs.into_iter();
            let x = next(inputs, [n, h, w, c]);
            let norm = GroupNorm {
                gamma: next(inputs, [c]),
                beta: next(inputs, [c]),
                groups,
                epsilon: 1e-6,
                modulation: Some(next(inputs, [n, 2 * c])),
            };
            let run = if silu { group_norm_silu } else { group_norm };
            run(x, norm).reshape([n * h * w * c])
        });
    }
}

#[test]
fn pointwise_map() {
    for ([n, h, w], [i, o]) in MAPS {
        let pixels = n * h * w;
        let lengths = [pixels * i, i * o, o, pixels * o];
        check(
            &format!("{n}×{h}×{w}, {i} to {o}"),
            EXACT,
            &lengths,
            |inputs| {
                let inputs = &mut inputs.into_iter();
                let (x, weight) = (next(inputs, [n, h, w, i]), next(inputs, [i, o]));
                let (bias, residual) = (next(inputs, [o]), next(inputs, [n, h, w, o]));
                conv1x1(x, weight, bias, Some(residual)).reshape([pixels * o])
            },
        );
    }
}

#[test]
fn attention_of_tokens() {
    for (n, l, c, heads) in [
        (2, 64, 64, 1),
        (3, 64, 64, 4),
        (2, 256, 32, 2),
        (1, 5, 6, 3),
        (2, 1, 4, 1),
    ] {
        // A single token's queries and keys do not matter: its gradient is rounding.
        let tolerance = if l == 1 { f64::INFINITY } else { EXACT };
        check(
            &format!("{n}×{l}×{c}, {heads} heads"),
            tolerance,
            &[n * l * 3 * c],
            |inputs| {
                let inputs = &mut inputs.into_iter();
                attention(next(inputs, [n, l, 3 * c]), heads).reshape([n * l * c])
            },
        );
    }
}

#[test]
fn temporal() {
    let cases = [
        (2, 4, 2),
        (1, 1, 1),
        (1, 1, 2),
        (2, 5, 3),
        (1, 8, 5),
        (1, 2, 2),
        (1, 17, 4),
    ];
    for (b, t, modes) in cases {
        for (h, w, c) in [(8, 8, 32), (3, 5, 6)] {
            let lengths = [b * t * h * w * c, c * c * modes * 2];
            check(
                &format!("{b}×{t}×{h}×{w}×{c}, {modes} modes"),
                EXACT,
                &lengths,
                |inputs| {
                    let inputs = &mut inputs.into_iter();
                    let u = next(inputs, [b * t, h, w, c]);
                    let weight = next(inputs, [c, c, modes, 2]);
                    temporal_convolution(u, weight, t).reshape([b * t * h * w * c])
                },
            );
        }
    }
}

#[test]
fn resampling() {
    for (change, scale) in [(Resample::Halve, 0.25), (Resample::Double, 4.0)] {
        for [n, h, w, c] in [[2, 8, 6, 16], [1, 2, 4, 3], [2, 5, 7, 4]] {
            let side = |side: usize| if scale < 1.0 { side / 2 } else { 2 * side };
            let out = n * side(h) * side(w) * c;
            check(
                &format!("{change:?} {n}×{h}×{w}×{c}"),
                EXACT,
                &[n * h * w * c],
                |inputs| {
                    let inputs = &mut inputs.into_iter();
                    resample(next(inputs, [n, h, w, c]), change).reshape([out])
                },
            );
        }
    }
}

#[test]
fn activation() {
    for len in [1, 15, 16, 1000, 300_000] {
        check(&format!("{len} numbers"), EXACT, &[len], |inputs| {
            let inputs = &mut inputs.into_iter();
            silu(next(inputs, [len]) * 20.0)
        });
    }
}

#[test]
fn concatenation() {
    for [n, h, w, a, b] in [[2, 8, 8, 32, 64], [1, 3, 2, 1, 5]] {
        let pixels = n * h * w;
        check(
            &format!("{n}×{h}×{w}, {a} and {b}"),
            EXACT,
            &[pixels * a, pixels * b],
            |inputs| {
                let inputs = &mut inputs.into_iter();
                let (one, other) = (next(inputs, [n, h, w, a]), next(inputs, [n, h, w, b]));
                concat_channels(one, other).reshape([pixels * (a + b)])
            },
        );
    }
}
