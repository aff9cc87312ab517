//! Networks that map noise to a whole diffusion trajectory in one forward pass.
//!
//! A diffusion teacher is called dozens of times to turn noise into an image. DSNO (Zheng et al.
//! 2023, arXiv:2211.13449v3) learns the solution operator of the teacher's ODE instead: one U-Net
//! over all time points at once, its spatial layers shared between times, and temporal convolutions
//! in Fourier space that let the times inform one another.
//!
//! # One network for all
//!
//! A [`UNet`] is any of them: a teacher of this project or of another program, and with temporal
//! convolutions an operator. [`UNetConfig`] describes a network of ours, [`NetworkConfig`] one of any
//! [family], [`OperatorConfig`] the operator that can be made of it. A student starts at its teacher's
//! weights through [`UNet::init_from_teacher`].
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use dsno_operator::{TemporalConvConfig, Timesteps, UNetConfig};
//!
//! let config = UNetConfig::new(8, 1)
//!     .with_base_channels(32)
//!     .with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
//! let device = Device::flex();
//! let operator = config.init(1, &device)?;
//! let noise = Tensor::<4>::ones([2, 1, 8, 8], &device);
//! let log_snrs = [-0.4, 1.8, 4.6, 20.0];
//! let trajectory = operator.forward(noise, Timesteps::Shared(&log_snrs), None);
//! assert_eq!(trajectory.dims(), [2, 4, 1, 8, 8]);
//! # Ok::<(), dsno_operator::ConfigError>(())
//! ```
//!
//! # Parts
//!
//! | question                                    | part                                          |
//! |---------------------------------------------|-----------------------------------------------|
//! | what is the network, can it be built?       | [`UNetConfig`], [`NetworkConfig`], [`ConfigError`] |
//! | how large is it, what does a pass cost?     | [`NetworkConfig::parameter_count`], [`multiply_adds`](NetworkConfig::multiply_adds), [`describe`](NetworkConfig::describe) |
//! | what does it predict?                       | [`UNet::forward`], [`Timesteps`]              |
//! | how does a solver call it?                  | [`UNet::denoiser`], [`UNetDenoiser`]          |
//! | how do times mix?                           | [`TemporalConv`], usable alone                |
//! | how do weights get in and out?              | [`UNet::state_dict`], [`UNet::load_state_dict`], strict in both directions |
//! | which other programs' networks run here?    | [`family`]                                    |
//! | our networks in others' files?              | [`interop`]: the DSNO authors', progressive distillation's |
//!
//! # Conventions
//!
//! Images are `[B, C, H, W]`, trajectories `[B, T, C, H, W]`. Noise levels are natural log-SNRs in
//! f64 on the host. Initial weights are a function of the seed alone. The crate names no solver,
//! prints nothing and chooses no device.
//!
//! # On a CPU
//!
//! A program that runs networks on burn's CPU backend turns the feature `flex` on: without it the same
//! formulas are composed of burn's operations, and take several times as long.

mod check;
mod config_error;
mod cost;
mod denoiser;
mod describe;
mod dialect;
mod entry;
pub mod family;
mod init;
pub mod interop;
mod layer;
mod layer_config;
mod layout;
mod network_config;
mod parts;
mod plan;
mod process;
mod transfer;
mod unet;
pub mod weights;

pub use config_error::ConfigError;
pub use denoiser::UNetDenoiser;
pub use describe::{Description, Row};
pub use family::unet::{Output, UNetConfig};
pub use family::{Family, FamilyConfig};
pub use layer::{Condition, TemporalConv, Timesteps};
pub use layer_config::{Heads, TemporalConvConfig};
pub use network_config::{NetworkConfig, OperatorConfig};
pub use process::DdpmProcess;
pub use unet::UNet;
