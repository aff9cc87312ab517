//! What layers do to feature maps, with weights as PyTorch lays them out.
//!
//! Inside the networks maps are channels-last, `[N, H, W, C]`, which is what [`dsno_kernels`] works
//! on; images are `[B, C, H, W]` on their way in and out.

use burn::nn::Dropout;
use burn::tensor::Tensor;
use dsno_kernels::conv3x3;

/// `[N, C, H, W]` to `[N, H, W, C]`.
pub(super) fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// `[N, H, W, C]` to `[N, C, H, W]`.
pub(super) fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

/// A linear map of channels; its weight is `[out, in]`, with any number of ones behind.
pub(super) fn conv1x1<const D: usize>(
    x: Tensor<4>,
    weight: Tensor<D>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let [o, i] = [weight.dims()[0], weight.dims()[1]];
    dsno_kernels::conv1x1(x, weight.reshape([o, i]).transpose(), bias, residual)
}

/// A convolution that keeps the size, `[out, in, 3, 3]` or `[out, in, 1, 1]`, with `residual` added.
pub(super) fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    match weight.dims() {
        [_, _, 1, 1] => conv1x1(x, weight, bias, residual),
        _ => conv3x3(x, weight, bias, residual),
    }
}

/// Whether dropout would change a map, so that nothing fused may pass it by.
pub(super) fn drops(dropout: &Dropout, x: &Tensor<4>) -> bool {
    dropout.prob > 0.0 && x.device().is_autodiff()
}

/// In which order a file holds the outputs of a projection to queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `[q | k | v]`, head by head within each.
    PartsFirst,
    /// Head by head, `[q | k | v]` within each.
    HeadsFirst,
    /// Head by head, channel by channel, with `q`, `k`, `v` innermost.
    PartsLast,
}

/// `softmax(q·kᵀ/√d)·v` for each head, with `q`, `k`, `v` a projection of the map by `3C` rows.
///
/// The rows of weight and bias are put into the order that the kernel takes, not the map.
pub(super) fn attend<const D: usize>(
    x: Tensor<4>,
    (weight, bias): (Tensor<D>, Tensor<1>),
    heads: usize,
    order: Order,
) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let d = c / heads;
    let (sizes, axes) = match order {
        Order::PartsFirst => ([3, heads, d], [1, 0, 2]),
        Order::HeadsFirst => ([heads, 3, d], [0, 1, 2]),
        Order::PartsLast => ([heads, d, 3], [0, 2, 1]),
    };
    let [a, b, e] = sizes;
    let weight = weight.reshape([a, b, e, c]);
    let weight = weight
        .permute([3, axes[0], axes[1], axes[2]])
        .reshape([c, 3 * c]);
    let bias = bias
        .reshape(sizes)
        .permute(axes.map(|axis| axis as isize))
        .reshape([3 * c]);
    let qkv = dsno_kernels::conv1x1(x, weight, bias, None);
    dsno_kernels::attention(qkv.reshape([n, h * w, 3 * c]), heads).reshape([n, h, w, c])
}
