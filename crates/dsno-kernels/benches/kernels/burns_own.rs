//! The same operations in burn's own, on maps `[N, C, H, W]`.

use burn::tensor::activation::{leaky_relu, relu, softmax};
use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions};
use burn::tensor::{Tensor, TensorData, activation};

use crate::case::{EPSILON, MODES, TIMES};

pub(crate) fn convolution(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    conv2d(x, weight, Some(bias), options)
}

pub(crate) fn norm_silu(
    x: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    modulation: Tensor<2>,
    groups: usize,
) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let [rows, _] = modulation.dims();
    let grouped = x.reshape([n, groups, (c / groups) * h * w]);
    let centred = grouped.clone() - grouped.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let inverse = (variance + EPSILON).sqrt().recip();
    let inverse = inverse.expand([n, groups, c / groups]).reshape([n, c]);
    let both = modulation
        .reshape([1, rows, 2 * c])
        .expand([n / rows, rows, 2 * c]);
    let both = both.reshape([n, 2 * c]);
    let factor = both.clone().slice([0..n, 0..c]) + 1.0;
    let gain = inverse * gamma.unsqueeze() * factor.clone();
    let offset = factor * beta.unsqueeze() + both.slice([0..n, c..2 * c]);
    let scaled = centred.reshape([n, c, h, w]) * gain.reshape([n, c, 1, 1]);
    silu(scaled + offset.reshape([n, c, 1, 1]))
}

pub(crate) fn silu(x: Tensor<4>) -> Tensor<4> {
    activation::silu(x)
}

pub(crate) fn conv1x1(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<4> {
    let [channels_in, channels_out] = weight.dims();
    let weight = weight
        .transpose()
        .reshape([channels_out, channels_in, 1, 1]);
    let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    conv2d(x, weight, Some(bias), options)
}

pub(crate) fn halve(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([2, 2]))
}

pub(crate) fn double(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n * c, h, 1, w, 1])
        .expand([n * c, h, 2, w, 2])
        .reshape([n, c, 2 * h, 2 * w])
}

/// One head; `[N, 3C, H, W]` to `[N, C, H, W]`.
pub(crate) fn attention(qkv: Tensor<4>) -> Tensor<4> {
    let [n, width, h, w] = qkv.dims();
    let c = width / 3;
    let parts = qkv.reshape([n, width, h * w]);
    let part = |index: usize| parts.clone().narrow(1, index * c, c);
    let (q, k, v) = (part(0), part(1), part(2));
    let scores = k.transpose().matmul(q * (1.0 / (c as f64).sqrt()));
    v.matmul(softmax(scores, 1)).reshape([n, c, h, w])
}

/// As three matrix products over contiguous maps; on a graph with the activation through ReLU, whose
/// gradient burn has a rule for.
pub(crate) fn temporal(u: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
    // Rows of products at T = 4, M = 2: what goes in and comes out by times, and shares of weights.
    const ANALYSIS: [[f32; 4]; 4] = [
        [1.0, 1.0, 1.0, 1.0],
        [1.0, -1.0, -1.0, 1.0],
        [1.0, 0.0, -1.0, 0.0],
        [0.0, -1.0, 0.0, 1.0],
    ];
    const SYNTHESIS: [[f32; 4]; 4] = [
        [0.25, 0.5, 0.0, -0.5],
        [0.25, -0.5, -0.5, 0.0],
        [0.25, -0.5, 0.0, 0.5],
        [0.25, 0.5, 0.5, 0.0],
    ];
    const SHARES: [[f32; 2 * MODES]; 4] = [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, -1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
    ];
    let [n, c, h, w] = u.dims();
    let (b, t) = (n / TIMES, TIMES);
    let table = |table: [[f32; 4]; 4]| {
        let values = table.as_flattened().to_vec();
        Tensor::<2>::from_data(TensorData::new(values, [4, 4]), &u.device())
    };
    let weights = table(SHARES).matmul(weight.reshape([c * c, 2 * MODES]).transpose());
    let weights = weights.reshape([1, 4, c, c]).transpose();
    let spectrum = table(ANALYSIS)
        .unsqueeze::<3>()
        .matmul(u.clone().reshape([b, t, c * h * w]));
    let mixed = weights.matmul(spectrum.reshape([b, 4, c, h * w]));
    let out = table(SYNTHESIS)
        .unsqueeze::<3>()
        .matmul(mixed.reshape([b, 4, c * h * w]))
        .reshape([n, c, h, w]);
    if out.device().is_autodiff() {
        (u + out.clone()) + relu(-out) * 0.99
    } else {
        u + leaky_relu(out, 0.01)
    }
}
