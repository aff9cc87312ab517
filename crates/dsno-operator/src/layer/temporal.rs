//! The Fourier convolution along time: what makes a U-Net an operator.

use std::f64::consts::TAU;

use burn::module::{Module, Param};
use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{leaky_relu, relu},
};

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
/// The transforms are small real matrices, which is exact for every `T`, runs on every backend and
/// has gradients. Between them a mode `a + ib` meets its `P + iQ` in three real products, Gauss's way:
///
/// ```text
/// k₁ = P(a + b)    k₂ = (Q − P)a    k₃ = (P + Q)b
/// re = k₁ − k₃     im = k₁ + k₂
/// ```
///
/// whose sums are part of the matrices: so the layer is three matrix products, one over times, one
/// over channels (`3M − 2` of them, side by side), one over times. What `irfft` ignores, the imaginary
/// parts of the constant mode and of the Nyquist mode of an even `T`, has no effect.
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
        let b = n / times;

        let products = products(times, modes);
        let rows = products.len();
        let table = |of: &dyn Fn(&Product) -> Vec<f64>, width: usize| {
            let values: Vec<f32> = products.iter().flat_map(of).map(|v| v as f32).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, width]), &u.device())
        };
        let analysis = table(&|product| product.of_times(times), times);
        let synthesis = table(&|product| product.to_times(times), times).transpose();
        let weights = table(&|product| product.of_weights(n_modes), 2 * n_modes);

        // One matrix for each product: [rows, in, out], used the other way round.
        let weights = weights.matmul(weight.reshape([c * c, 2 * n_modes]).transpose());
        let weights = weights.reshape([1, rows, c, c]).transpose();
        let spectrum = analysis
            .unsqueeze()
            .matmul(u.clone().reshape([b, times, c * h * w]));
        let mixed = weights.matmul(spectrum.reshape([b, rows, c, h * w]));
        let out = synthesis
            .unsqueeze()
            .matmul(mixed.reshape([b, rows, c * h * w]));
        add_active(u, out.reshape([n, c, h, w]))
    }
}

/// `u + LeakyReLU(x)`.
///
/// Under autodiff burn composes that activation of a comparison and a choice, which take more time
/// than all of the layer's products; ReLU has a rule of its own.
fn add_active(u: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    if x.device().is_autodiff() {
        (u + x.clone()) + relu(-x) * (1.0 - LEAK)
    } else {
        u + leaky_relu(x, LEAK)
    }
}

/// One real product over channels: what goes in, by which weights, and where it counts.
#[derive(Debug, Clone, Copy)]
struct Product {
    mode: usize,
    /// Shares of `cos` and `−sin` of the mode in what goes in.
    input: [f64; 2],
    /// Shares of the real and imaginary parts of the mode's weights.
    weights: [f64; 2],
    /// Shares of what comes out in `cos` and `−sin` of the mode, `1/T` apart.
    output: [f64; 2],
}

impl Product {
    /// What goes in, as shares of the times.
    fn of_times(self, times: usize) -> Vec<f64> {
        let at = |t: usize| {
            let angle = angle(self.mode, t, times);
            self.input[0] * angle.cos() - self.input[1] * angle.sin()
        };
        (0..times).map(at).collect()
    }

    /// What comes out, as shares for the times.
    fn to_times(self, times: usize) -> Vec<f64> {
        let at = |t: usize| {
            let angle = angle(self.mode, t, times);
            (self.output[0] * angle.cos() - self.output[1] * angle.sin()) / times as f64
        };
        (0..times).map(at).collect()
    }

    /// The weights, as shares of all that are stored for a pair of channels.
    fn of_weights(self, n_modes: usize) -> Vec<f64> {
        let mut shares = vec![0.0; 2 * n_modes];
        shares[2 * self.mode..2 * self.mode + 2].copy_from_slice(&self.weights);
        shares
    }
}

/// The products of all modes.
fn products(times: usize, modes: usize) -> Vec<Product> {
    let product = |mode, input, weights, output| Product {
        mode,
        input,
        weights,
        output,
    };
    let of_mode = |mode: usize| {
        if mode == 0 || 2 * mode == times {
            return vec![product(mode, [1.0, 0.0], [1.0, 0.0], [1.0, 0.0])];
        }
        // Its conjugate at the mirrored frequency counts too, hence the 2.
        vec![
            product(mode, [1.0, 1.0], [1.0, 0.0], [2.0, 2.0]),
            product(mode, [1.0, 0.0], [-1.0, 1.0], [0.0, 2.0]),
            product(mode, [0.0, 1.0], [1.0, 1.0], [-2.0, 0.0]),
        ]
    };
    (0..modes).flat_map(of_mode).collect()
}

fn angle(mode: usize, t: usize, times: usize) -> f64 {
    TAU * ((mode * t) % times) as f64 / times as f64
}

#[cfg(test)]
mod tests;
