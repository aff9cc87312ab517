//! The smallest case of every kernel, for interpreters that watch each access to memory.
//!
//! ```sh
//! MIRIFLAGS="-Zmiri-tree-borrows" cargo +nightly miri test -p dsno-kernels --features flex --lib smallest
//! ```

use super::attention::{self, AttentionShape};
use super::conv::{self, Algorithm, ConvShape, Prologue};
use super::norm::{self, GroupNorm};
use super::resample;
use super::temporal::{self, TemporalShape};
use super::testing::noise;
use super::{activation, conv1x1};
use crate::resample::Resample;

fn all_finite(numbers: &[f32]) {
    assert!(numbers.iter().all(|number| number.is_finite()));
}

#[test]
fn convolutions() {
    let shape = ConvShape {
        images: 1,
        height: 3,
        width: 2,
        channels_in: 2,
        channels_out: 3,
    };
    let (x, weight, dy) = (noise(1, 12), noise(2, 54), noise(3, 18));
    let all = [
        Algorithm::Four,
        Algorithm::Two,
        Algorithm::NarrowInput,
        Algorithm::NarrowOutput,
    ];
    for algorithm in all {
        let (bias, residual) = (noise(4, 3), noise(5, 18));
        let (bias, residual) = (Some(&bias[..]), Some(&residual[..]));
        let (y, _) = conv::forward_by(algorithm, shape, &x, None, &weight, bias, residual);
        all_finite(&y);
        let found = conv::backward_by(algorithm, shape, &x, None, &weight, &dy, true);
        all_finite(&found.weight);
    }
}

#[test]
fn normalised_convolutions() {
    let (gamma, beta, modulation) = (noise(1, 2), noise(2, 2), noise(3, 4));
    let norm = GroupNorm {
        groups: 1,
        epsilon: 1e-6,
        gamma: &gamma,
        beta: &beta,
        modulation: Some(&modulation),
        silu: true,
    };
    for (resample, [height, width]) in [
        (Resample::Keep, [2, 2]),
        (Resample::Halve, [1, 1]),
        (Resample::Double, [4, 4]),
    ] {
        let shape = ConvShape {
            images: 1,
            height,
            width,
            channels_in: 2,
            channels_out: 2,
        };
        let prologue = Prologue { norm, resample };
        let (x, weight, dy) = (noise(4, 8), noise(5, 36), noise(6, 2 * height * width));
        let (y, statistics) = conv::forward(shape, &x, Some(&prologue), &weight, None, None);
        all_finite(&y);
        let statistics = statistics
            .as_ref()
            .map(|statistics| (&prologue, statistics));
        all_finite(&conv::backward(shape, &x, statistics, &weight, &dy, true).weight);
    }
    let (x, dy) = (noise(7, 8), noise(8, 8));
    let (y, statistics) = norm::forward(&norm, 1, 4, 2, &x);
    all_finite(&y);
    all_finite(&norm::backward(&norm, 1, 4, 2, &x, &statistics, &dy).x);
}

#[test]
fn maps_of_channels_and_times() {
    let (x, weight) = (noise(1, 6), noise(2, 6));
    all_finite(&conv1x1::forward(3, [2, 3], &x, &weight, None, None));
    all_finite(&conv1x1::backward(3, [2, 3], &x, &weight, &noise(3, 9), true).weight);
    let shape = TemporalShape {
        samples: 1,
        times: 3,
        pixels: 1,
        channels: 2,
        modes: 2,
    };
    let weight = noise(4, 16);
    all_finite(&temporal::forward(shape, &x, &weight));
    all_finite(&temporal::backward(shape, &x, &weight, &noise(5, 6)).1);
    let shape = AttentionShape {
        images: 1,
        tokens: 3,
        channels: 2,
        heads: 2,
    };
    let qkv = noise(6, 18);
    all_finite(&attention::forward(shape, &qkv));
    all_finite(&attention::backward(shape, &qkv, &noise(7, 6)));
}

#[test]
fn activations_and_sizes() {
    let x = noise(1, 19);
    all_finite(&activation::silu(&x));
    all_finite(&activation::silu_backward(&x, &x));
    let y = resample::forward(Resample::Halve, [1, 2, 2, 3], &x[..12]);
    all_finite(&resample::backward(Resample::Halve, [1, 2, 2, 3], &y));
}
