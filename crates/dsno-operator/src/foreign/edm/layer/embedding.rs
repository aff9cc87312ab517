//! The embedding of noise levels.

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};

/// How a noise level becomes a vector of sines and cosines; computed in f64 on the host, where the
/// phases of large levels keep their digits.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::foreign::edm) struct Noise {
    /// Angular frequencies.
    pub(in crate::foreign::edm) frequencies: Vec<f64>,
    /// Sines before cosines.
    pub(in crate::foreign::edm) sines_first: bool,
}

impl Noise {
    /// Frequencies that were drawn when the network was made.
    pub(in crate::foreign::edm) fn fourier(stored: &[f32]) -> Self {
        Self {
            frequencies: stored.iter().map(|f| TAU * f64::from(*f)).collect(),
            sines_first: true,
        }
    }

    /// One row per level, `[R, 2F]`.
    pub(in crate::foreign::edm) fn embed(&self, levels: &[f64], device: &Device) -> Tensor<2> {
        let width = 2 * self.frequencies.len();
        let mut table = Vec::with_capacity(levels.len() * width);
        for level in levels {
            let phases = || self.frequencies.iter().map(|f| f * level);
            let sines = phases().map(|phase| phase.sin() as f32);
            let cosines = phases().map(|phase| phase.cos() as f32);
            if self.sines_first {
                table.extend(sines.chain(cosines));
            } else {
                table.extend(cosines.chain(sines));
            }
        }
        Tensor::from_data(TensorData::new(table, [levels.len(), width]), device)
    }
}

/// Frequencies that fall geometrically from 1 to 1/10000; the last is left out unless `endpoint`.
pub(in crate::foreign::edm) fn positional(width: usize, endpoint: bool) -> Vec<f64> {
    let half = width / 2;
    let last = (half - usize::from(endpoint)) as f64;
    (0..half)
        .map(|i| 10_000_f64.powf(-(i as f64) / last))
        .collect()
}
