//! Networks that map noise to a whole diffusion trajectory in one forward pass.
//!
//! A diffusion teacher is called dozens of times to turn noise into an image. DSNO (Zheng et al.
//! 2023, arXiv:2211.13449v3) learns the solution operator of the teacher's ODE instead: one U-Net
//! over all time points at once, its spatial layers shared between times, and temporal convolutions
//! in Fourier space that let the times inform one another.
//!
//! # One type for both
//!
//! An [`UNetConfig`] describes either network. Without `temporal` it is the teacher; with it, the
//! operator. Both are a [`UNet`], built by [`UNetConfig::init`], and a student starts at its
//! teacher's weights through [`UNet::init_from_teacher`].
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use dsno_operator::{UNetConfig, Heads, Timesteps, Output, TemporalConvConfig};
//!
//! let architecture = UNetConfig {
//!     image_size: 8,
//!     image_channels: 1,
//!     base_channels: 8,
//!     embedding_channels: 32,
//!     channel_multipliers: vec![1, 2],
//!     res_blocks: 1,
//!     attention_resolutions: vec![4],
//!     heads: Heads::Count(1),
//!     attention_groups: 4,
//!     residual_groups: None,
//!     classes: 0,
//!     dropout: 0.0,
//!     temporal: Some(TemporalConvConfig { n_modes: 2 }),
//!     output: Output::State,
//! };
//! let device = Device::flex();
//! let operator = architecture.init(1, &device)?;
//! let noise = Tensor::<4>::ones([2, 1, 8, 8], &device);
//! let log_snrs = [-0.4, 1.8, 4.6, 20.0];
//! let trajectory = operator.forward(noise, Timesteps::Shared(&log_snrs), None);
//! assert_eq!(trajectory.dims(), [2, 4, 1, 8, 8]);
//! # Ok::<(), dsno_operator::UNetConfigError>(())
//! ```
//!
//! # Parts
//!
//! | question                                    | part                                          |
//! |---------------------------------------------|-----------------------------------------------|
//! | what is the network, can it be built?       | [`UNetConfig`], [`UNetConfigError`]       |
//! | how large is it, what does a pass cost?     | [`UNetConfig::parameter_count`], [`UNetConfig::multiply_adds`], [`UNetConfig::describe`] |
//! | what does it answer?                        | [`UNet::forward`], [`Timesteps`]            |
//! | how does a solver call it?                  | [`UNetDenoiser`]                              |
//! | how do times mix?                           | [`TemporalConv`], usable alone         |
//! | how do weights get in and out?              | [`weights`], strict in both directions        |
//! | how are files of others read?               | [`checkpoint`], in bounded memory             |
//! | our networks in others' files?              | [`exchange`]: the authors', progressive distillation's |
//!
//! # Conventions
//!
//! Images are `[B, C, H, W]`, trajectories `[B, T, C, H, W]`. Noise levels are natural log-SNRs in
//! f64 on the host. Initial weights are a function of the seed alone. The crate names no solver,
//! prints nothing and chooses no device.
//!
//! # On a CPU
//!
//! A program that runs networks on burn's CPU backend depends on [`dsno_kernels`] too, with its feature
//! `flex`: without it the same formulas are composed of burn's operations, and take several times as long.

mod config;
mod cost;
mod denoiser;
mod describe;
pub mod exchange;
pub mod foreign;
mod init;
mod layer;
mod parts;
mod plan;
mod transfer;
mod unet;
pub mod weights;

pub use config::{Heads, Output, TemporalConvConfig, UNetConfig, UNetConfigError};
pub use denoiser::UNetDenoiser;
pub use describe::{Description, Row};
pub use layer::{TemporalConv, Timesteps};
pub use transfer::TransferError;
pub use unet::UNet;
