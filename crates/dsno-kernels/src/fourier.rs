//! The Fourier transforms of a few times, and the real products between them.

use std::f64::consts::TAU;

/// One real product over channels: what goes in, by which weights, and where it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) mode: usize,
    /// Shares of `cos` and `−sin` of the mode in what goes in.
    input: [f64; 2],
    /// Shares of the real and imaginary parts of the mode's weights.
    pub(crate) weights: [f64; 2],
    /// Shares of what comes out in `cos` and `−sin` of the mode, `1/T` apart.
    output: [f64; 2],
}

impl Product {
    /// Share of time `t` in what goes in.
    pub(crate) fn analysis(&self, t: usize, times: usize) -> f64 {
        wave(self.input, self.mode, t, times)
    }

    /// Share of what comes out in time `t`.
    pub(crate) fn synthesis(&self, t: usize, times: usize) -> f64 {
        wave(self.output, self.mode, t, times) / times as f64
    }
}

/// The products of all modes: one for a mode that is real, three of Gauss for each other.
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
