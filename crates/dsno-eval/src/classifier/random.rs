//! Random weights and orders that are a function of a seed alone, on every platform.

use burn::tensor::Device;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::config::ClassifierConfig;
use super::network::Network;

/// Numbers for one use; different uses of one seed never share any.
pub(super) struct Numbers(ChaCha8Rng);

impl Numbers {
    pub(super) fn weights(seed: u64) -> Self {
        Self::stream(seed, 0)
    }

    pub(super) fn order(seed: u64) -> Self {
        Self::stream(seed, 1)
    }

    fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform in `[-1, 1)`.
    fn signed(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * f64::exp2(-52.0) - 1.0
    }

    /// Uniform in `0..bound`, for bounds far below `2⁶⁴`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// The numbers `0..len` in random order.
    pub(super) fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

/// Draws a network: He et al. 2015 uniform weights, zero biases, unit scales.
///
/// A uniform draw needs no logarithm, whose last bit differs between platforms.
pub(super) fn network(config: &ClassifierConfig, seed: u64, device: &Device) -> Network {
    let mut numbers = Numbers::weights(seed);
    let mut draw = |name: &str, shape: &[usize]| {
        let len = shape.iter().product();
        match shape {
            [_] if name.ends_with("gamma") || name == "deviation" => vec![1.0; len],
            [_] => vec![0.0; len],
            _ => {
                // [output, input, 3, 3] for convolutions, [input, output] for linear layers.
                let fan_in = if shape.len() == 4 {
                    len / shape[0]
                } else {
                    shape[0]
                };
                let bound = (6.0 / fan_in as f64).sqrt();
                (0..len)
                    .map(|_| (numbers.signed() * bound) as f32)
                    .collect()
            }
        }
    };
    Network::build(config, &mut draw, device)
}
