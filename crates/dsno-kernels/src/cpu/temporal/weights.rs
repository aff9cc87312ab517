//! From stored weights to the matrices of the products, and their gradients back.

use pulp::Arch;

use crate::cpu::scratch::{Scratch, for_overwrite};
use crate::fourier::Product;

/// Pairs of channels that are read at a time, few enough to stay in the first-level cache.
const PAIRS: usize = 512;

/// One matrix `[in, out]` for each product, from `[in, out, M, 2]`.
pub(super) fn matrices(products: &[Product], weight: &[f32], n_modes: usize) -> Scratch {
    let pairs = weight.len() / (2 * n_modes);
    let mut matrices = Scratch::take(products.len() * pairs);
    let mut planes = Scratch::take(2 * n_modes * PAIRS);
    for first in (0..pairs).step_by(PAIRS) {
        let last = (first + PAIRS).min(pairs);
        let stored = &weight[first * 2 * n_modes..last * 2 * n_modes];
        Arch::new().dispatch(
            #[inline(always)]
            || {
                match n_modes {
                    1 => part::<2>(stored, &mut planes),
                    2 => part::<4>(stored, &mut planes),
                    3 => part::<6>(stored, &mut planes),
                    _ => part_any(stored, 2 * n_modes, &mut planes),
                }
                for (product, matrix) in products.iter().zip(matrices.chunks_exact_mut(pairs)) {
                    combine(*product, &planes, &mut matrix[first..last]);
                }
            },
        );
    }
    matrices
}

/// Real and imaginary parts of every mode apart: plane `k` holds number `k` of each pair.
#[inline(always)]
fn part<const N: usize>(stored: &[f32], planes: &mut [f32]) {
    let (stored, _) = stored.as_chunks::<N>();
    for (k, plane) in planes.chunks_exact_mut(PAIRS).take(N).enumerate() {
        for (to, from) in plane.iter_mut().zip(stored) {
            *to = from[k];
        }
    }
}

/// The same for any number of modes.
fn part_any(stored: &[f32], stride: usize, planes: &mut [f32]) {
    for (k, plane) in planes.chunks_exact_mut(PAIRS).take(stride).enumerate() {
        for (to, from) in plane.iter_mut().zip(stored.chunks_exact(stride)) {
            *to = from[k];
        }
    }
}

/// A product's weights from the planes.
#[inline(always)]
fn combine(product: Product, planes: &[f32], to: &mut [f32]) {
    let [re, im] = product.weights.map(|share| share as f32);
    let (real, imaginary) = planes[2 * product.mode * PAIRS..].split_at(PAIRS);
    for (to, (a, b)) in to.iter_mut().zip(real.iter().zip(imaginary)) {
        *to = re * a + im * b;
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
        let [re, im] = product.weights.map(|share| share as f32);
        for (&w, stored) in matrix.iter().zip(gradient.chunks_exact_mut(stride)) {
            stored[2 * product.mode] += re * w;
            stored[2 * product.mode + 1] += im * w;
        }
    }
    gradient
}
