//! What DDPM++, NCSN++ and ADM do differently in every block.

use std::f64::consts::FRAC_1_SQRT_2;

use super::{Filter, Start};
use crate::foreign::edm::architecture::{EdmArchitecture, EdmModel};
use crate::init::NEAR_ZERO;

/// What all blocks of a network have in common.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::foreign::edm) struct BlockStyle {
    /// Width of the embedding.
    pub(in crate::foreign::edm) embedding: usize,
    /// The embedding scales and shifts after the norm, instead of shifting before it.
    pub(in crate::foreign::edm) adaptive_scale: bool,
    /// A 1×1 convolution on the shortcut wherever the size changes.
    pub(in crate::foreign::edm) resample_proj: bool,
    /// Factor of each sum.
    pub(in crate::foreign::edm) skip_scale: f64,
    /// Added to every variance.
    pub(in crate::foreign::edm) epsilon: f64,
    pub(in crate::foreign::edm) dropout: f64,
    pub(in crate::foreign::edm) filter: Filter,
    /// Of most layers, of those that end a branch, and of the attention's first.
    pub(in crate::foreign::edm) starts: [Start; 3],
}

impl BlockStyle {
    /// What the architecture's model asks for.
    pub(in crate::foreign::edm) fn of(arch: &EdmArchitecture) -> Self {
        let shared = Self {
            embedding: arch.model_channels * arch.channel_mult_emb,
            adaptive_scale: true,
            resample_proj: false,
            skip_scale: 1.0,
            epsilon: 1e-5,
            dropout: arch.dropout,
            filter: Filter::new(arch.taps()),
            starts: [Start::FanIn, Start::Zero, Start::FanIn],
        };
        match arch.model {
            EdmModel::SongUNet { .. } => Self {
                adaptive_scale: false,
                resample_proj: true,
                skip_scale: FRAC_1_SQRT_2,
                epsilon: 1e-6,
                starts: [
                    Start::Average(1.0),
                    Start::Average(NEAR_ZERO),
                    Start::Average(0.2),
                ],
                ..shared
            },
            EdmModel::DhariwalUNet {} => shared,
        }
    }
}
