//! The elementary layers, with their weights laid out as in PyTorch.

mod conv;
mod linear;
mod norm;

pub(super) use conv::Conv;
pub(super) use linear::Linear;
pub(super) use norm::GroupNorm;

use burn::tensor::Tensor;

/// `[N, C]` as `[N, C, 1, 1]`.
pub(super) fn rows(x: Tensor<2>) -> Tensor<4> {
    let [n, c] = x.dims();
    x.reshape([n, c, 1, 1])
}
