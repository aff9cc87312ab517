//! The hot operations of a diffusion U-Net, as burn operations with kernels of their own on a CPU.
//!
//! Each function here takes and returns burn tensors, has gradients, and runs on every backend. On
//! burn's CPU backend (`flex`, with this crate's feature of the same name) in `f32` it runs a kernel
//! written for it; elsewhere, and in other precisions, it is composed of burn's operations, which
//! GPU backends fuse and tune themselves. Both compute the same formula.
//!
//! | function                 | what it fuses                                                           |
//! |--------------------------|-------------------------------------------------------------------------|
//! | [`conv3x3`]              | 3×3 convolution (Winograd), bias, residual sum                          |
//! | [`norm_silu_conv3x3`]    | group norm, scale-shift, SiLU, resampling, and all of [`conv3x3`]       |
//! | [`group_norm`]           | statistics, affine map, scale-shift                                     |
//! | [`group_norm_silu`]      | [`group_norm`] and SiLU                                                 |
//! | [`conv1x1`]              | 1×1 convolution, bias, residual sum                                     |
//! | [`attention`]            | scores, softmax and mixing, block by block                              |
//! | [`temporal_convolution`] | Fourier transform, channel products, LeakyReLU, residual sum            |
//! | [`resample`]             | 2×2 averages, doubling by repetition                                    |
//! | [`concat_channels`]      | concatenation along channels                                            |
//! | [`silu`]                 | `x · sigmoid(x)`                                                        |
//! | [`adam_step`]            | Adam and the exponential moving average of weights                      |
//!
//! Feature maps are channels-last, `[N, H, W, C]`: channels are what vectors run along, a 1×1
//! convolution is a matrix product as it stands, and all a residual block does to one image stays in
//! a core's cache. A map that comes channels-first is `permute([0, 2, 3, 1])`d, which costs a copy at
//! most.
//!
//! # Examples
//!
//! ```
//! use burn::tensor::{Device, Tensor, Tolerance};
//! use dsno_kernels::{GroupNorm, Resample, conv3x3, group_norm_silu, norm_silu_conv3x3};
//!
//! let device = Device::flex();
//! let x = Tensor::<4>::ones([2, 8, 8, 16], &device).cumsum(1);
//! let norm = GroupNorm {
//!     gamma: Tensor::ones([16], &device),
//!     beta: Tensor::zeros([16], &device),
//!     groups: 4,
//!     epsilon: 1e-6,
//!     modulation: None,
//! };
//! let weight = Tensor::<4>::ones([16, 16, 3, 3], &device) * 0.01;
//! let bias = Tensor::<1>::zeros([16], &device);
//!
//! let apart = conv3x3(group_norm_silu(x.clone(), norm.clone()), weight.clone(), bias.clone(), None);
//! let fused = norm_silu_conv3x3(x, norm, Resample::Keep, weight, bias, None);
//! fused.into_data().assert_approx_eq::<f32>(&apart.into_data(), Tolerance::absolute(1e-4));
//! ```

#![allow(
    unsafe_code,
    reason = "kernels address memory themselves; each block says why it may"
)]

mod adam;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod flex;
mod fourier;
mod op;
mod resample;

pub use adam::Adam;
pub use op::{
    AdamState, GroupNorm, adam_step, attention, concat_channels, conv1x1, conv3x3, group_norm,
    group_norm_silu, norm_silu_conv3x3, resample, silu, temporal_convolution,
};
pub use resample::Resample;
