//! Counts of parameters and multiply-adds, read off the parts.

use crate::config::UNetConfig;
use crate::parts::{Part, Place};
use crate::plan::{Kind, Plan};

impl Plan {
    /// Trainable numbers of the whole network.
    pub(crate) fn parameters(&self, arch: &UNetConfig) -> usize {
        self.parts(arch).iter().map(Part::count).sum()
    }

    /// Multiply-adds of one forward pass of one sample at `times` times.
    pub(crate) fn multiply_adds(&self, arch: &UNetConfig, times: usize) -> u64 {
        let parts = self.parts(arch);
        parts.iter().map(|part| part.multiply_adds(times)).sum()
    }
}

impl Part {
    /// Multiply-adds of one forward pass of one sample at `times` times.
    pub(crate) fn multiply_adds(&self, times: usize) -> u64 {
        let (_, size) = self.output;
        let pixels = size.map_or(1, |size| (size * size) as u64);
        // Of a linear map or a convolution, the weight is the first leaf.
        let weights = || self.leaves[0].shape.iter().product::<usize>() as u64;
        let t = times as u64;
        match self.place {
            Place::Class | Place::Stem => weights() * pixels,
            Place::Embedding | Place::Head => weights() * pixels * t,
            Place::Norm => 0,
            Place::Layer(Kind::Temporal { channels, n_modes }) => {
                temporal_multiply_adds(channels, n_modes.min(times / 2 + 1), pixels)
            }
            Place::Layer(kind) => t * layer_multiply_adds(kind, pixels, self.modulation()),
        }
    }

    /// Weights of a residual block's linear map of the embedding.
    fn modulation(&self) -> u64 {
        let of = |name| self.leaves.iter().find(|leaf| leaf.name == name);
        let shape = of("modulation.weight").map(|leaf| leaf.shape.iter().product::<usize>());
        shape.unwrap_or(0) as u64
    }
}

fn layer_multiply_adds(kind: Kind, pixels: u64, modulation: u64) -> u64 {
    match kind {
        Kind::Residual {
            channels_in,
            channels_out,
            ..
        } => {
            let (i, o) = (channels_in as u64, channels_out as u64);
            let shortcut = if i == o { 0 } else { i * o * pixels };
            9 * (i + o) * o * pixels + shortcut + modulation
        }
        Kind::Attention { channels, .. } => {
            let c = channels as u64;
            4 * c * c * pixels + 2 * c * pixels * pixels
        }
        Kind::Temporal { .. } => 0,
    }
}

/// Channel mixing of the kept modes, a complex product counted as four real ones.
///
/// This is the published count. The layer needs `3M − 2` products instead of `4M`, and two small
/// transforms that are not counted.
fn temporal_multiply_adds(channels: usize, modes: usize, pixels: u64) -> u64 {
    4 * (modes * channels * channels) as u64 * pixels
}
