//! The Fourier convolution along time: what makes a U-Net an operator.

use std::f64::consts::TAU;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation::leaky_relu};

use crate::init::Initializer;

/// Slope of the activation for negative values.
const LEAK: f64 = 0.01;

/// Mixes the time points of a trajectory through their lowest Fourier modes.
///
/// ```text
/// y = u + LeakyReLU₀.₀₁(irfft_T(R · rfft_T(u)[:M]))
/// ```
///
/// `R` holds one complex channel matrix per mode; there is no bias and no normalisation. This is the
/// temporal block of Zheng et al. 2023 (arXiv:2211.13449v3, section 4).
///
/// The transforms are written as two small real matrices, which is exact for every `T`, runs on
/// every backend and has gradients: `2M − 1` rows (`1`; `cos wkt`, `−sin wkt` with `w = 2π/T`) on
/// the way in, as many columns on the way out, and between them one product per mode with
/// `[[Re R, Im R], [−Im R, Re R]]` over stacked real and imaginary channels. What `irfft` ignores,
/// the imaginary parts of the constant mode and of the Nyquist mode of an even `T`, has no effect.
#[derive(Module, Debug)]
pub struct TemporalConvolution {
    /// `[C, C, M, 2]`: input channel, output channel, mode, real and imaginary part.
    weight: Param<Tensor<4>>,
}

impl TemporalConvolution {
    pub(crate) fn new(init: &mut Initializer<'_>, channels: usize, n_modes: usize) -> Self {
        let high = 1.0 / (channels * channels) as f64;
        Self {
            weight: init.uniform([channels, channels, n_modes, 2], 0.0, high),
        }
    }

    /// Creates a layer that starts close to the identity, a function of `seed` alone.
    pub fn init(channels: usize, n_modes: usize, seed: u64, device: &Device) -> Self {
        Self::new(&mut Initializer::new(seed, device), channels, n_modes)
    }

    /// Applies the layer to `times` time points per sample.
    ///
    /// # Shapes
    ///
    /// | value    | shape            | meaning                          |
    /// |----------|------------------|----------------------------------|
    /// | `u`      | `[B·T, C, H, W]` | maps, sample-major: row `b·T + t` |
    /// | returned | `[B·T, C, H, W]` | the same order                   |
    ///
    /// # Panics
    ///
    /// If the rows are no multiple of `times`, the channels are not the layer's, or `times > 1` has
    /// fewer than `M` modes (`M > T/2 + 1`). A single time has only the constant mode.
    pub fn forward(&self, u: Tensor<4>, times: usize) -> Tensor<4> {
        let weight = self.weight.val();
        let [n, c, h, w] = u.dims();
        let [_, _, n_modes, _] = weight.dims();
        assert!(
            n.is_multiple_of(times),
            "{n} maps are not a multiple of {times} times"
        );
        assert!(
            times == 1 || n_modes <= times / 2 + 1,
            "{n_modes} modes do not fit {times} times, which have {}",
            times / 2 + 1
        );
        let modes = n_modes.min(times / 2 + 1);
        let rows = 2 * modes - 1;
        let b = n / times;

        let device = u.device();
        let analysis = matrix(&analysis(times, modes), [1, rows, times], &device);
        let synthesis = matrix(&synthesis(times, modes), [1, times, rows], &device);
        let spectrum = analysis.matmul(u.clone().reshape([b, times, c * h * w]));
        let spectrum = spectrum.reshape([b, rows * c, h * w]);

        let mut mixed = Vec::with_capacity(modes);
        for mode in 0..modes {
            let parts = channel_matrix(&weight, mode);
            let [first, count] = if mode == 0 { [0, 1] } else { [2 * mode - 1, 2] };
            let input = spectrum
                .clone()
                .slice([0..b, first * c..(first + count) * c, 0..h * w]);
            mixed.push(parts.unsqueeze().matmul(input));
        }
        let mixed = Tensor::cat(mixed, 1).reshape([b, rows, c * h * w]);
        let out = synthesis.matmul(mixed).reshape([n, c, h, w]);
        u + leaky_relu(out, LEAK)
    }
}

/// The real matrix that mixes the channels of one mode: `[C, C]` for the constant mode, `[2C, 2C]`
/// over stacked real and imaginary parts for the others.
fn channel_matrix(weight: &Tensor<4>, mode: usize) -> Tensor<2> {
    let [c, _, _, _] = weight.dims();
    let part = |which: usize| {
        weight
            .clone()
            .slice([0..c, 0..c, mode..mode + 1, which..which + 1])
            .reshape([c, c])
            .transpose()
    };
    if mode == 0 {
        return part(0);
    }
    let (re, im) = (part(0), part(1));
    let upper = Tensor::cat(vec![re.clone(), -im.clone()], 1);
    let lower = Tensor::cat(vec![im, re], 1);
    Tensor::cat(vec![upper, lower], 0)
}

fn matrix(values: &[f64], shape: [usize; 3], device: &Device) -> Tensor<3> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Rows `1`, then `cos`, `−sin` per mode; `[2M − 1, T]`.
fn analysis(times: usize, modes: usize) -> Vec<f64> {
    let mut rows = vec![1.0; times];
    for mode in 1..modes {
        rows.extend((0..times).map(|t| angle(mode, t, times).cos()));
        rows.extend((0..times).map(|t| -angle(mode, t, times).sin()));
    }
    rows
}

/// The inverse of the real transform with all other modes zero; `[T, 2M − 1]`.
fn synthesis(times: usize, modes: usize) -> Vec<f64> {
    let scale = 1.0 / times as f64;
    let mut values = Vec::with_capacity(times * (2 * modes - 1));
    for t in 0..times {
        values.push(scale);
        for mode in 1..modes {
            let nyquist = 2 * mode == times;
            let gain = if nyquist { scale } else { 2.0 * scale };
            values.push(gain * angle(mode, t, times).cos());
            values.push(if nyquist {
                0.0
            } else {
                -gain * angle(mode, t, times).sin()
            });
        }
    }
    values
}

fn angle(mode: usize, t: usize, times: usize) -> f64 {
    TAU * ((mode * t) % times) as f64 / times as f64
}

#[cfg(test)]
mod tests;
