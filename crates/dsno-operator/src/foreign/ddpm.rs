//! The U-Net of DDPM and its descendants, as two families of weight files hold it.
//!
//! The network of Ho et al. 2020 (arXiv:2006.11239) lives on in OpenAI's improved- and
//! guided-diffusion and in Hugging Face's diffusers. They differ in names, in options and in where
//! attention stands, not in kind: an architecture of either family is laid out as one list of
//! layers, and everything after that is common and here. [`diffusers`](super::diffusers) and
//! [`guided`](super::guided) have the architectures.
//!
//! ```text
//! e = Linear(SiLU(Linear(sinusoids(time))))  [+ class]
//! x = stem(z)
//! for each layer: x = layer([x | newest remembered map], e), remembered on the way down
//! answer = head(SiLU(norm(x)))                the first C channels; learned variances are dropped
//! ```

mod attention;
mod blueprint;
mod builder;
mod check;
mod denoiser;
mod embedding;
mod entries;
mod error;
mod layer;

mod network;
mod process;
mod residual;
mod sinusoids;
mod weights;

pub(super) use attention::HeadOrder;
pub(super) use blueprint::{Blueprint, ClassInput, Dialect, Normalisation};
pub(super) use builder::{AttentionOptions, Builder};
pub(super) use check::{
    MOST_BLOCKS, MOST_CHANNELS, MOST_CLASSES, check_above_zero, check_attention_sizes,
    check_counts, check_dropout, check_size, heads_of_width,
};
pub use denoiser::DdpmDenoiser;
pub use dsno_checkpoint::KeyMapping;
pub use error::DdpmArchitectureError;
pub use network::{Condition, DdpmNetwork};
pub use process::Process;
pub(super) use sinusoids::Sinusoids;
pub use weights::DdpmError;
