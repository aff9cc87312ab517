//! Hugging Face diffusers: `UNet2DModel` and the table of its scheduler.
//!
//! A model is a folder with `config.json`, `diffusion_pytorch_model.safetensors` and, there or in a
//! folder `scheduler` beside, `scheduler_config.json`; `google/ddpm-cifar10-32` is one. The first and
//! the last give a [`DiffusersConfig`], which then says everything about the network.
//!
//! | question                              | part                                                |
//! |---------------------------------------|-----------------------------------------------------|
//! | what is the network?                  | [`DiffusersConfig`]                                 |
//! | how are the original's files read?    | [`DiffusersConfig::from_folder`], [`from_json`](DiffusersConfig::from_json) |
//! | how is it trained?                    | [`DdpmProcess`](crate::DdpmProcess)                 |
//! | how is it built and loaded?           | [`NetworkConfig`](crate::NetworkConfig)             |
//!
//! # What is read, and what is refused
//!
//! | option                                   | read                                       | refused, by name and value |
//! |------------------------------------------|--------------------------------------------|----------------------------|
//! | `down_block_types`, `up_block_types`     | `DownBlock2D`, `AttnDownBlock2D`, `ResnetDownsampleBlock2D` and the same for `Up` | others (`SkipDownBlock2D` of NCSN++, cross-attention, …) |
//! | `mid_block_type`                         | `UNetMidBlock2D`, null                     | others                     |
//! | `time_embedding_type`                    | `positional`                               | `fourier`, `learned`       |
//! | `act_fn`                                 | `silu`, `swish`                            | others                     |
//! | `downsample_type`, `upsample_type`       | `conv`, `resnet`                           | others                     |
//! | `downsample_padding`                     | 0, 1                                       | others                     |
//! | `resnet_time_scale_shift`                | `default`, `scale_shift`                   | `spatial`, `ada_group`     |
//! | `class_embed_type`, `num_class_embeds`   | null, `timestep`, `identity`; any number   | others                     |
//! | `sample_size`                            | a number, a list of two equal ones         | lists of others            |
//! | scheduler's class                        | those of a table of `β`; `CMStochasticIterativeScheduler` (`sigma_min`, `sigma_data`) | others (`EDMEulerScheduler`, `FlowMatchEulerDiscreteScheduler`, `ScoreSdeVeScheduler`, `LCMScheduler`, …) |
//! | scheduler's `beta_schedule`              | `linear`, `scaled_linear`, `squaredcos_cap_v2`, `sigmoid`, `trained_betas` | others |
//! | scheduler's `prediction_type`            | `epsilon`, `sample`, `v_prediction`; `predict_epsilon` | others         |
//! | scheduler's `rescale_betas_zero_snr`, `use_flow_sigmas`, `timestep_type`, `snr_shift_scale` | false, false, `discrete`, null | others |
//!
//! Any other key of `config.json` is refused too, unless it begins with `_`, is null, or is one of those that
//! never shape a network, such as the bookkeeping of moving averages ([`Notice::LeftAlone`]). The other keys
//! of a scheduler say how to sample, not what the network is; of them a [`Notice`] tells where its samplers
//! clip the predicted image otherwise than to `[-1, 1]`.

mod error;
mod json;
mod keys;
mod layout;
mod network;
mod notice;
mod scheduler;

pub use error::DiffusersConfigError;
pub use network::{
    ClassEmbedType, DiffusersConfig, DownBlockType, MidBlockType, ResampleType, TimeScaleShift,
    UpBlockType,
};
pub use notice::Notice;

use super::{Family, read};

/// Hugging Face diffusers.
pub const FAMILY: Family = Family {
    name: "diffusers",
    read: |table| Ok(Box::new(read::<DiffusersConfig>(table)?)),
};

#[cfg(test)]
mod tests;
