//! The elementary layers, with their weights laid out as in PyTorch.

mod conv;
mod linear;
mod norm;

pub(super) use conv::Conv;
pub(super) use linear::Linear;
pub(super) use norm::GroupNorm;

use burn::tensor::Tensor;

/// `x/factor`
pub(super) fn divided(x: Tensor<4>, factor: f64) -> Tensor<4> {
    if factor == 1.0 { x } else { x / factor }
}
