//! Networks of 'Elucidating the Design Space of Diffusion-Based Generative Models'.
//!
//! Karras et al. 2022 (arXiv:2206.00364) trained DDPM++, NCSN++ and ADM networks inside four
//! preconditionings. An [`EdmConfig`] describes any of them with the keys of its constructor;
//! weights are a plain state dict of the preconditioned network in safetensors, under their original
//! names (`model.enc.32x32_conv.weight`, `model.map_layer0.bias`, …).
//!
//! The published files are Python pickles that run code when they are opened, which this crate does
//! not; a state dict is made of one where its Python is at hand:
//!
//! ```python
//! with open("edm-cifar10-32x32-uncond-vp.pkl", "rb") as f:
//!     network = pickle.load(f)["ema"]
//! weights = {name: value.float().contiguous() for name, value in network.state_dict().items()}
//! safetensors.torch.save_file(weights, "weights.safetensors")
//! ```
//!
//! Buffers come along: random Fourier frequencies and the levels of improved DDPM are part of the
//! model and are used as stored, resampling filters must be those of the architecture.
//!
//! | question                          | part                                                     |
//! |-----------------------------------|----------------------------------------------------------|
//! | what is the network?              | [`EdmConfig`], [`EdmModel`], [`Preconditioning`]         |
//! | how is it built and loaded?       | [`NetworkConfig`](crate::NetworkConfig)                  |

mod layout;
mod network;
mod preconditioning;

pub(crate) use layout::LEVELS;
pub use network::{DecoderType, EdmConfig, EdmModel, EmbeddingType, EncoderType};
pub use preconditioning::Preconditioning;

use super::{Family, read};

/// EDM.
pub const FAMILY: Family = Family {
    name: "edm",
    read: |table| Ok(Box::new(read::<EdmConfig>(table)?)),
};
