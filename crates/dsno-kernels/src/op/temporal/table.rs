//! The Fourier transforms of a few times as small tables.

use std::f64::consts::TAU;

/// One real product over channels: what goes in, by which weights, and where it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
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
    pub(super) fn of_times(self, times: usize) -> Vec<f64> {
        let at = |t: usize| {
            let angle = angle(self.mode, t, times);
            self.input[0] * angle.cos() - self.input[1] * angle.sin()
        };
        (0..times).map(at).collect()
    }

    /// What comes out, as shares for the times.
    pub(super) fn to_times(self, times: usize) -> Vec<f64> {
        let at = |t: usize| {
            let angle = angle(self.mode, t, times);
            (self.output[0] * angle.cos() - self.output[1] * angle.sin()) / times as f64
        };
        (0..times).map(at).collect()
    }

    /// The weights, as shares of all that are stored for a pair of channels.
    pub(super) fn of_weights(self, n_modes: usize) -> Vec<f64> {
        let mut shares = vec![0.0; 2 * n_modes];
        shares[2 * self.mode..2 * self.mode + 2].copy_from_slice(&self.weights);
        shares
    }
}

/// The products of all modes.
pub(super) fn products(times: usize, modes: usize) -> Vec<Product> {
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
