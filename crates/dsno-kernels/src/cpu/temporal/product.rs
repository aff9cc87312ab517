//! The real products of a Fourier layer, as tables.

use std::f64::consts::TAU;

/// One real product over channels: what goes in, by which weights, and where it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) mode: usize,
    /// Shares of `cos` and `−sin` of the mode in what goes in.
    input: [f64; 2],
    /// Shares of the real and imaginary parts of the mode's weights.
    pub(super) weights: [f32; 2],
    /// Shares of what comes out in `cos` and `−sin` of the mode, `1/T` apart.
    output: [f64; 2],
}

/// The products of all modes: one for a mode that is real, three of Gauss for each other.
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

/// The transforms between `T` times and `R` products, each `[outputs, inputs]`.
#[derive(Debug)]
pub(super) struct Tables {
    /// From times to what goes into the products, `[R, T]`.
    pub(super) analysis: Vec<f32>,
    /// From what comes out of them to times, `[T, R]`.
    pub(super) synthesis: Vec<f32>,
    /// Transpose of `analysis`, which takes gradients back.
    pub(super) analysis_back: Vec<f32>,
    /// Transpose of `synthesis`.
    pub(super) synthesis_back: Vec<f32>,
}

impl Tables {
    pub(super) fn new(products: &[Product], times: usize) -> Self {
        let analysis = |product: &Product, t| wave(product.input, product.mode, t, times) as f32;
        let synthesis = |product: &Product, t| {
            (wave(product.output, product.mode, t, times) / times as f64) as f32
        };
        let by_product = |share: &dyn Fn(&Product, usize) -> f32| -> Vec<f32> {
            let row = |product| (0..times).map(move |t| share(product, t));
            products.iter().flat_map(row).collect()
        };
        let by_time = |share: &dyn Fn(&Product, usize) -> f32| -> Vec<f32> {
            let row = |t| products.iter().map(move |product| share(product, t));
            (0..times).flat_map(row).collect()
        };
        Self {
            analysis: by_product(&analysis),
            synthesis: by_time(&synthesis),
            analysis_back: by_time(&analysis),
            synthesis_back: by_product(&synthesis),
        }
    }
}

/// `shares[0]·cos − shares[1]·sin` of a mode at time `t`.
fn wave(shares: [f64; 2], mode: usize, t: usize, times: usize) -> f64 {
    let angle = TAU * ((mode * t) % times) as f64 / times as f64;
    shares[0] * angle.cos() - shares[1] * angle.sin()
}
