//! The operations on burn tensors, one file each.
//!
//! A file holds the public function, the composition for backends without a kernel, and in a folder
//! of the same name the kernel as an operation of the CPU backend, with its gradient.

mod adam;
mod attention;
mod concat;
mod conv1x1;
mod convolution;
mod norm;
mod resample;
mod silu;
mod temporal;

pub use adam::{AdamState, adam_step};
pub use attention::attention;
pub use concat::concat_channels;
pub use conv1x1::conv1x1;
pub use convolution::{conv3x3, norm_silu_conv3x3};
pub use norm::{GroupNorm, group_norm, group_norm_silu};
pub use resample::resample;
pub use silu::silu;
pub use temporal::temporal_convolution;
