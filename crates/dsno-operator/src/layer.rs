//! The layers of the network, one file each.
//!
//! Every layer takes feature maps `[N, H, W, C]` with `N = B·T`, sample-major (row `n = b·T + t`).

mod attention;
mod conv1x1;
mod convolution;
mod dense;
mod embedding;
mod norm;
mod resample;
mod residual;
mod temporal;

pub(crate) use attention::Attention;
pub(crate) use convolution::Convolution;
pub(crate) use embedding::Embedding;
pub use embedding::Timesteps;
pub(crate) use norm::Norm;
pub(crate) use residual::Residual;
pub use temporal::TemporalConv;

pub(crate) use dsno_kernels::silu;
