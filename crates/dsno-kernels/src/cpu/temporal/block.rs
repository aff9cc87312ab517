//! How a tensor of trajectories is cut into blocks that stay in the cache.

use std::ops::Range;

use super::TemporalShape;

/// Bytes of working memory for one block, about half of a core's second-level cache.
const BUDGET: usize = 384 * 1024;

/// Pixels below which a product over channels is too short to be fast.
const FEW: usize = 32;

/// Some samples with all their pixels, or some pixels of one sample; always at all times.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) samples: Range<usize>,
    pub(super) pixels: Range<usize>,
}

impl Block {
    /// Pixels in all samples together.
    pub(super) fn rows(&self) -> usize {
        self.samples.len() * self.pixels.len()
    }
}

/// Cuts all samples, in order, for `products` products.
pub(super) fn blocks(shape: TemporalShape, products: usize) -> Vec<Block> {
    let TemporalShape {
        samples,
        times,
        pixels,
        channels,
        ..
    } = shape;
    let bytes = size_of::<f32>() * channels * (times + 2 * products);
    let fit = (BUDGET / bytes.max(1)).max(FEW);
    let threads = rayon::current_num_threads();
    if fit >= 2 * pixels.max(1) && samples >= 2 * threads {
        let count = samples.div_ceil(fit / pixels.max(1)).max(2 * threads);
        let block = |samples| Block {
            samples,
            pixels: 0..pixels,
        };
        return even(samples, count).map(block).collect();
    }
    let mut parts = pixels.div_ceil(fit);
    if samples * parts < 8 * threads {
        parts = parts.next_multiple_of(threads).min(pixels.div_ceil(FEW));
    }
    let block = |n| {
        even(pixels, parts).map(move |pixels| Block {
            samples: n..n + 1,
            pixels,
        })
    };
    (0..samples).flat_map(block).collect()
}

/// `parts` ranges of `0..units` that differ by at most one in length.
fn even(units: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    (0..parts).map(move |part| part * units / parts..(part + 1) * units / parts)
}

/// The parts of a tensor `[B·T, pixels, C]` that belong to each block: sample by sample, time by time.
pub(super) fn pieces<'a>(
    mut whole: &'a mut [f32],
    blocks: &[Block],
    shape: TemporalShape,
) -> Vec<Vec<&'a mut [f32]>> {
    let mut pieces: Vec<Vec<_>> = blocks.iter().map(|_| Vec::new()).collect();
    let mut rest = &mut pieces[..];
    for of_samples in blocks.chunk_by(|a, b| a.samples == b.samples) {
        let (pieces, after) = rest.split_at_mut(of_samples.len());
        rest = after;
        for _ in 0..of_samples[0].samples.len() * shape.times {
            for (block, pieces) in of_samples.iter().zip(&mut *pieces) {
                let len = block.pixels.len() * shape.channels;
                let (piece, after) = std::mem::take(&mut whole).split_at_mut(len);
                whole = after;
                pieces.push(piece);
            }
        }
    }
    pieces
}
