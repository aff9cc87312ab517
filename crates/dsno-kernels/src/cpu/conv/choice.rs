//! The choice of algorithm and block size for a shape, by counts alone.

use super::grid::padded;
use super::{Algorithm, ConvShape};

/// Values that the transforms of a block of tiles should take: what stays in a core's second cache.
const BLOCK: usize = 1 << 18;

/// Tiles whose transforms, before and after the products, are in flight at a time.
///
/// Below 48, reading many channels' transformed weights once per block takes longer than the
/// products.
pub(super) fn tiles_per_block(inputs: usize, outputs: usize) -> usize {
    (BLOCK / (36 * (inputs + outputs))).clamp(48, 96)
}

/// The algorithm that needs the fewest cycles by the estimate below.
pub(super) fn choose(shape: ConvShape) -> Algorithm {
    let all = [
        Algorithm::Four,
        Algorithm::Two,
        Algorithm::NarrowInput,
        Algorithm::NarrowOutput,
    ];
    all.into_iter()
        .min_by_key(|&algorithm| cycles(shape, algorithm))
        .unwrap_or(Algorithm::Four)
}

/// Vector instructions of one image, transforms and copies counted by what they were measured to
/// take next to a multiplication.
fn cycles(shape: ConvShape, algorithm: Algorithm) -> usize {
    let [inputs, outputs] = [shape.channels_in, shape.channels_out];
    let (wide_in, wide_out) = (padded(inputs) / 16, padded(outputs) / 16);
    let pixels = shape.height * shape.width;
    let tiles = |tile: usize| shape.height.div_ceil(tile) * shape.width.div_ceil(tile);
    match algorithm {
        Algorithm::Four => tiles(4) * (36 * inputs * wide_out + 200 * (wide_in + wide_out)),
        Algorithm::Two => tiles(2) * (16 * inputs * wide_out + 60 * (wide_in + wide_out)),
        Algorithm::NarrowInput => pixels * (9 * inputs * wide_out + 9 * inputs * 3 / 2),
        Algorithm::NarrowOutput => {
            pixels * (inputs * padded(9 * outputs) / 16 + 9 * outputs * 3 / 2)
        }
    }
}
