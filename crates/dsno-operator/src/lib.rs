//! dsno-operator
mod architecture;
mod cost;
mod init;
mod layer;
mod plan;
mod transfer;
mod unet;
pub mod weights;

pub use architecture::{Architecture, ArchitectureError, Heads, Output, Temporal};
pub use layer::{NoiseLevels, TemporalConvolution};
pub use transfer::TransferError;
pub use unet::UNet;
