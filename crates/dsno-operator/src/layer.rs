//! The layers of the network.
//!
//! Every layer takes feature maps `[N, H, W, C]` with `N = B·T`, sample-major (row `n = b·T + t`).

mod attention;
mod conv;
mod embedding;
mod filter;
mod linear;
mod norm;
mod resampler;
mod residual;
mod side;
mod temporal;

pub(crate) use attention::Attention;
pub(crate) use conv::{Conv1x1, Conv3x3, Head};
pub use embedding::{Condition, Timesteps};
pub(crate) use embedding::{Embedding, within_range};
pub(crate) use filter::Filter;
pub(crate) use linear::Linear;
pub(crate) use norm::Norm;
pub(crate) use resampler::Resampler;
pub(crate) use residual::Residual;
pub(crate) use side::Side;
pub use temporal::TemporalConv;

use burn::tensor::Tensor;

/// `scale·x`
pub(crate) fn scaled(x: Tensor<4>, scale: f64) -> Tensor<4> {
    if scale == 1.0 { x } else { x * scale }
}
