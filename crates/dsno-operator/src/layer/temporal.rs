//! The Fourier convolution along time: what makes a U-Net an operator.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use dsno_kernels::temporal_convolution;

use crate::init::Initializer;

/// Mixes the time points of a trajectory through their lowest Fourier modes.
///
/// ```text
/// y = u + LeakyReLU₀.₀₁(irfft_T(R · rfft_T(u)[:M]))
/// ```
///
/// `R` holds one complex channel matrix per mode; there is no bias and no normalisation. This is the
/// temporal block of Zheng et al. 2023 (arXiv:2211.13449v3, section 4); how it is computed is said at
/// [`temporal_convolution`].
#[derive(Module, Debug)]
pub struct TemporalConv {
    /// `[C, C, M, 2]`: input channel, output channel, mode, real and imaginary part.
    weight: Param<Tensor<4>>,
}

impl TemporalConv {
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
        let y = self.forward_channels_last(u.permute([0, 2, 3, 1]), times);
        y.permute([0, 3, 1, 2])
    }

    /// [`Self::forward`] for maps `[B·T, H, W, C]`, which need not be moved.
    ///
    /// # Panics
    ///
    /// As [`Self::forward`].
    pub fn forward_channels_last(&self, u: Tensor<4>, times: usize) -> Tensor<4> {
        temporal_convolution(u, self.weight.val(), times)
    }
}

#[cfg(test)]
mod tests;
