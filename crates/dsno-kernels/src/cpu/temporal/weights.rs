//! From stored weights to the matrices of the products, and gradients the other way.

use pulp::Arch;

use super::product::Product;
use crate::cpu::scratch::{Scratch, for_overwrite};

/// Pairs of channels that are read at a time, few enough to stay in the first-level cache.
const PAIRS: usize = 512;

/// One matrix `[in, out]` for each product, from `[in, out, M, 2]`.
pub(super) fn matrices(products: &[Product], weight: &[f32], n_modes: usize) -> Scratch {
    let pairs = weight.len() / (2 * n_modes);
    let mut matrices = Scratch::take(products.len() * pairs);
    Arch::new().dispatch(|| match n_modes {
        1 => spread(products, weight, 2, pairs, &mut matrices),
        2 => spread(products, weight, 4, pairs, &mut matrices),
        3 => spread(products, weight, 6, pairs, &mut matrices),
        _ => spread(products, weight, 2 * n_modes, pairs, &mut matrices),
    });
    matrices
}

/// Inlined for each number of modes, so that its strides are known.
#[inline(always)]
fn spread(products: &[Product], weight: &[f32], stride: usize, pairs: usize, matrices: &mut [f32]) {
    for first in (0..pairs).step_by(PAIRS) {
        let last = (first + PAIRS).min(pairs);
        let stored = &weight[first * stride..last * stride];
        for (product, matrix) in products.iter().zip(matrices.chunks_exact_mut(pairs)) {
            let [re, im] = product.weights;
            for (w, stored) in matrix[first..last]
                .iter_mut()
                .zip(stored.chunks_exact(stride))
            {
                *w = re * stored[2 * product.mode] + im * stored[2 * product.mode + 1];
            }
        }
    }
}

/// The transpose of [`matrices`]: the gradient of the stored weights.
pub(super) fn gradient(
    products: &[Product],
    matrices: &[f32],
    pairs: usize,
    n_modes: usize,
) -> Vec<f32> {
    let stride = 2 * n_modes;
    let mut gradient = for_overwrite(pairs * stride);
    // Modes that so few times do not have, and imaginary parts that do not count.
    gradient.fill(0.0);
    for (product, matrix) in products.iter().zip(matrices.chunks_exact(pairs)) {
        let [re, im] = product.weights;
        for (&w, stored) in matrix.iter().zip(gradient.chunks_exact_mut(stride)) {
            stored[2 * product.mode] += re * w;
            stored[2 * product.mode + 1] += im * w;
        }
    }
    gradient
}
