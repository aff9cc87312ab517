//! Counts of multiply-adds, read off the parts.

use crate::parts::{Leaf, Part, Place};
use crate::plan::{Kind, Plan};

impl Plan {
    /// Multiply-adds of one forward pass of one sample at `times` times.
    pub(crate) fn multiply_adds(&self, times: usize) -> u64 {
        let parts = self.parts();
        parts.iter().map(|part| part.multiply_adds(times)).sum()
    }
}

impl Part {
    /// Multiply-adds of one forward pass of one sample at `times` times.
    pub(crate) fn multiply_adds(&self, times: usize) -> u64 {
        let (_, size) = self.output;
        let pixels = size.map_or(1, |size| (size * size) as u64);
        let t = times as u64;
        match self.place {
            Place::Class | Place::Stem => self.weights() * pixels,
            Place::Embedding | Place::Head => self.weights() * pixels * t,
            Place::Norm => 0,
            Place::Layer(_, Kind::Temporal { channels, n_modes }) => {
                temporal_multiply_adds(channels, n_modes.min(times / 2 + 1), pixels)
            }
            Place::Layer(_, Kind::Attention(shape)) => {
                t * (self.weights() * pixels + 2 * shape.channels as u64 * pixels * pixels)
            }
            // The map of the embedding is applied once, all others at every pixel that comes out.
            Place::Layer(..) => {
                let once = self.weights_of(|leaf| leaf.module == "modulation");
                t * ((self.weights() - once) * pixels + once)
            }
        }
    }

    /// Numbers in matrices and kernels.
    fn weights(&self) -> u64 {
        self.weights_of(|_| true)
    }

    fn weights_of(&self, which: impl Fn(&Leaf) -> bool) -> u64 {
        let weights = self.leaves.iter().filter(|leaf| leaf.shape.len() > 1);
        let of = |leaf: &Leaf| leaf.shape.iter().product::<usize>() as u64;
        weights.filter(|leaf| which(leaf)).map(of).sum()
    }
}

/// Channel mixing of the kept modes, a complex product counted as four real ones.
///
/// This is the published count. The layer needs `3M − 2` products instead of `4M`, and two small
/// transforms that are not counted.
fn temporal_multiply_adds(channels: usize, modes: usize, pixels: u64) -> u64 {
    4 * (modes * channels * channels) as u64 * pixels
}
