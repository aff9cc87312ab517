//! The Fourier transforms of a few times, and the real products between them.

use std::f64::consts::TAU;

/// One real matrix product over channels, with its place in the transforms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) mode: usize,
    /// Factors of `cos` and `−sin` of the mode in the input.
    input: [f64; 2],
    /// Factors of the real and imaginary parts of the mode's weights.
    pub(crate) weights: [f64; 2],
    /// Factors of the output in `cos` and `−sin` of the mode, without the `1/T`.
    output: [f64; 2],
}

impl Product {
    /// Factor of time `t` in the input.
    pub(crate) fn analysis(&self, t: usize, times: usize) -> f64 {
        wave(self.input, self.mode, t, times)
    }

    /// Factor of the output in time `t`.
    pub(crate) fn synthesis(&self, t: usize, times: usize) -> f64 {
        wave(self.output, self.mode, t, times) / times as f64
    }
}

/// The products of all modes: one for a mode that is real, three (Gauss) for each other.
pub(crate) fn products(times: usize, modes: usize) -> Vec<Product> {
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

/// `shares[0]·cos − shares[1]·sin` of a mode at time `t`.
fn wave(shares: [f64; 2], mode: usize, t: usize, times: usize) -> f64 {
    let angle = TAU * ((mode * t) % times) as f64 / times as f64;
    shares[0] * angle.cos() - shares[1] * angle.sin()
}
