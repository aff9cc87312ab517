//! Halving and doubling through a separable filter.

use burn::tensor::{Tensor, TensorData};
use dsno_kernels::resample;

use crate::foreign::edm::plan::Resample;

/// A resampling filter: its taps in one dimension, with sum 1.
///
/// ```text
/// y[i]          = Σ_j f[j] x[2i + j − p]       halved;   L taps, p = L/2 − 1 zeros around the map
/// y[2i + j − p] = Σ_i 2 f[j] x[i]              doubled;  the same, transposed
/// ```
///
/// in each direction; `[1, 1]` is the mean of 2×2 pixels and their repetition. Others are written as
/// products with a small banded matrix for each axis, which is exact for every even number of taps,
/// runs on every backend and has gradients.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::foreign::edm) struct Filter {
    taps: Vec<f64>,
}

impl Filter {
    /// Normalises the taps; an even number of them with a sum other than 0.
    pub(in crate::foreign::edm) fn new(taps: &[f64]) -> Self {
        let sum: f64 = taps.iter().sum();
        Self {
            taps: taps.iter().map(|tap| tap / sum).collect(),
        }
    }

    /// The filter in two dimensions as files store it, `[1, 1, L, L]`.
    pub(in crate::foreign::edm) fn stored(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.taps.len().pow(2));
        for a in &self.taps {
            values.extend(self.taps.iter().map(|b| (a * b) as f32));
        }
        values
    }

    /// Zeros that are thought around a map, on each side.
    pub(in crate::foreign::edm) fn padding(&self) -> usize {
        self.taps.len() / 2 - 1
    }

    /// The change of size in words of [`dsno_kernels`], where it is means and repetition.
    pub(in crate::foreign::edm) fn plain(
        &self,
        change: Resample,
    ) -> Option<dsno_kernels::Resample> {
        match change {
            Resample::Keep => Some(dsno_kernels::Resample::Keep),
            Resample::Halve if self.taps == [0.5, 0.5] => Some(dsno_kernels::Resample::Halve),
            Resample::Double if self.taps == [0.5, 0.5] => Some(dsno_kernels::Resample::Double),
            Resample::Halve | Resample::Double | Resample::HalveAfter => None,
        }
    }

    /// Halves `[N, H, W, C]`.
    pub(in crate::foreign::edm) fn halve(&self, x: Tensor<4>) -> Tensor<4> {
        match self.plain(Resample::Halve) {
            Some(halve) => resample(x, halve),
            None => self.apply(x, |size| (size / 2, self.padding()), false),
        }
    }

    /// Halves a map that comes with its padding, `[N, H + 2p, W + 2p, C]`.
    pub(in crate::foreign::edm) fn halve_padded(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, |size| (size / 2 - self.padding(), 0), false)
    }

    /// Doubles `[N, H, W, C]`.
    pub(in crate::foreign::edm) fn double(&self, x: Tensor<4>) -> Tensor<4> {
        match self.plain(Resample::Double) {
            Some(double) => resample(x, double),
            None => self.apply(x, |size| (2 * size, self.padding()), true),
        }
    }

    /// `shape` gives the size that comes out and the padding.
    fn apply(
        &self,
        x: Tensor<4>,
        shape: impl Fn(usize) -> (usize, usize),
        doubles: bool,
    ) -> Tensor<4> {
        let [n, h, w, c] = x.dims();
        let device = x.device();
        let matrix = |size: usize| {
            let (out, padding) = shape(size);
            let values = if doubles {
                self.doubling(size, out, padding)
            } else {
                self.halving(size, out, padding)
            };
            (out, TensorData::new(values, [1, out, size]))
        };
        let ((rows, down), (columns, across)) = (matrix(h), matrix(w));
        let down = Tensor::<3>::from_data(down, &device);
        let across = Tensor::<3>::from_data(across, &device);
        let half = down.matmul(x.reshape([n, h, w * c]));
        let both = across.matmul(half.reshape([n * rows, w, c]));
        both.reshape([n, rows, columns, c])
    }

    /// `[out, size]`
    fn halving(&self, size: usize, out: usize, padding: usize) -> Vec<f32> {
        let mut values = vec![0.0; out * size];
        for i in 0..out {
            for (j, tap) in self.taps.iter().enumerate() {
                if let Some(place) = (2 * i + j).checked_sub(padding).filter(|p| *p < size) {
                    values[i * size + place] = *tap as f32;
                }
            }
        }
        values
    }

    /// `[out, size]`
    fn doubling(&self, size: usize, out: usize, padding: usize) -> Vec<f32> {
        let mut values = vec![0.0; out * size];
        for i in 0..size {
            for (j, tap) in self.taps.iter().enumerate() {
                if let Some(place) = (2 * i + j).checked_sub(padding).filter(|p| *p < out) {
                    values[place * size + i] = (2.0 * tap) as f32;
                }
            }
        }
        values
    }
}
