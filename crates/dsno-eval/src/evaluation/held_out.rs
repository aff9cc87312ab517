//! The inputs of samplers that are measured.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use dsno_data::noise::{self, Stream};

/// Held-out noise and labels: functions of a seed and an index, of a stream that no training uses.
#[derive(Debug, Clone, Copy)]
pub struct HeldOutInputs<'a> {
    /// The seed.
    pub seed: u64,
    /// Shape of an image, `[C, H, W]`.
    pub shape: [usize; 3],
    /// Classes that samplers are conditioned on; 0 without.
    pub classes: usize,
    /// Where the noise is put.
    pub device: &'a Device,
}

impl HeldOutInputs<'_> {
    /// Standard normal noise of samples, `[B, C, H, W]`.
    pub fn noise(&self, samples: Range<usize>) -> Tensor<4> {
        let indices = samples.start as u64..samples.end as u64;
        noise::batch_of(
            Stream::HeldOutNoise,
            self.seed,
            indices,
            self.shape,
            self.device,
        )
    }

    /// Labels of samples, each class equally likely; none without classes.
    pub fn labels(&self, samples: Range<usize>) -> Option<Vec<u32>> {
        let classes = u32::try_from(self.classes).ok().filter(|n| *n > 0)?;
        let label = |index| noise::label(self.seed, index as u64, classes);
        Some(samples.map(label).collect())
    }
}
