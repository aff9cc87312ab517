//! Halving and doubling through a separable filter.

use burn::tensor::{Tensor, TensorData};
use dsno_kernels::{Resample, resample};

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
pub(crate) struct Filter {
    taps: Vec<f64>,
}

impl Filter {
    /// Normalises the taps; an even number of them with a sum other than 0.
    pub(crate) fn new(taps: &[f64]) -> Self {
        let sum: f64 = taps.iter().sum();
        Self {
            taps: taps.iter().map(|tap| tap / sum).collect(),
        }
    }

    /// The filter in two dimensions as files store it, `[1, 1, L, L]`.
    pub(crate) fn stored(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.taps.len().pow(2));
        for a in &self.taps {
            values.extend(self.taps.iter().map(|b| (a * b) as f32));
        }
        values
    }

    /// Zeros that the filter assumes around a map, on each side.
    pub(crate) fn padding(&self) -> usize {
        self.taps.len() / 2 - 1
    }

    /// The change of resolution where it is none, averages of 2×2 or repetition, which the kernels fuse.
    pub(crate) fn plain(&self, change: Resample) -> Option<Resample> {
        let plain = change == Resample::Keep || self.taps == [0.5, 0.5];
        plain.then_some(change)
    }

    /// Changes the resolution of `[N, H, W, C]`.
    pub(crate) fn apply(&self, x: Tensor<4>, change: Resample) -> Tensor<4> {
        match (self.plain(change), change) {
            (Some(change), _) => resample(x, change),
            (None, Resample::Double) => self.product(x, |size| (2 * size, self.padding()), true),
            (None, _) => self.product(x, |size| (size / 2, self.padding()), false),
        }
    }

    /// Halves a map that comes with its padding, `[N, H + 2p, W + 2p, C]`.
    pub(crate) fn halve_padded(&self, x: Tensor<4>) -> Tensor<4> {
        self.product(x, |size| (size / 2 - self.padding(), 0), false)
    }

    /// `shape` gives the size that comes out and the padding.
    fn product(
        &self,
        x: Tensor<4>,
        shape: impl Fn(usize) -> (usize, usize),
        doubles: bool,
    ) -> Tensor<4> {
        let [n, h, w, c] = x.dims();
        let device = x.device();
        let matrix = |size: usize| {
            let (out, padding) = shape(size);
            let values = self.matrix(size, out, padding, doubles);
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
    fn matrix(&self, size: usize, out: usize, padding: usize, doubles: bool) -> Vec<f32> {
        let (coarse, fine) = if doubles { (size, out) } else { (out, size) };
        let mut values = vec![0.0; out * size];
        for i in 0..coarse {
            for (j, tap) in self.taps.iter().enumerate() {
                let place = (2 * i + j).checked_sub(padding);
                let Some(place) = place.filter(|p| *p < fine) else {
                    continue;
                };
                if doubles {
                    values[place * size + i] = (2.0 * tap) as f32;
                } else {
                    values[i * size + place] = *tap as f32;
                }
            }
        }
        values
    }
}
