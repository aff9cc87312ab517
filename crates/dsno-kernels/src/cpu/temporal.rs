//! The Fourier convolution along time.
//!
//! ```text
//! y = u + LeakyReLU₀.₀₁(irfft_T(R · rfft_T(u)[:M]))
//! ```
//!
//! The temporal block of Zheng et al. 2023 (arXiv:2211.13449v3, section 4) in real numbers: sums over
//! the `T` times of a pixel give what goes into `3M − 2` or so products over channels, and sums over
//! those give what is added at each time. Between them a mode `a + ib` meets its `P + iQ` in three real
//! products (Gauss's trick):
//!
//! ```text
//! k₁ = P(a + b)    k₂ = (Q − P)a    k₃ = (P + Q)b
//! re = k₁ − k₃     im = k₁ + k₂
//! ```
//!
//! Everything happens block by block of pixels, so that between reading `u` and writing `y` nothing
//! leaves the cache.

mod backward;
mod block;
mod mix;
mod tables;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use self::backward::backward;
use self::block::{Block, blocks, pieces};
use self::mix::{Activated, Added, Plain, Rows, Sloped, mix};
use self::tables::Tables;
use super::gemm::Gemm;
use super::scratch::{Scratch, for_overwrite};
use super::threads;
use crate::fourier::{Product, products};

/// Slope of the activation for negative values.
const LEAK: f32 = 0.01;

/// Sizes of a temporal convolution: `u` is `[B·T, pixels, C]`, sample-major.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TemporalShape {
    /// `B`.
    pub(crate) samples: usize,
    /// `T`.
    pub(crate) times: usize,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    /// `M`, as stored; a single time uses only the first.
    pub(crate) modes: usize,
}

/// Applies the layer with weights `[C, C, M, 2]`: input channel, output channel, mode, real and
/// imaginary part. Returns `[B·T, pixels, C]`.
pub(crate) fn forward(shape: TemporalShape, u: &[f32], weight: &[f32]) -> Vec<f32> {
    shape.check(u, weight);
    let layer = Layer::new(shape);
    let matrices = weights::matrices(&layer.products, weight, shape.modes);
    let mut y = for_overwrite(u.len());
    threads::run(layer.jobs(1, &mut y), |job: Job<'_>| {
        let mut working = layer.working_memory(&job);
        for (block, mut y) in job {
            let pass = layer.pass(&block, u);
            pass.mixed(&matrices, &mut working);
            for (sample, y) in y.chunks_mut(shape.times).enumerate() {
                let from = pass.products_of(&working.mixed, sample);
                mix::<Activated>(&layer.tables.synthesis, from, pass.times_of(u, sample), y);
            }
        }
    });
    y
}

impl TemporalShape {
    fn check(self, u: &[f32], weight: &[f32]) {
        let Self {
            samples,
            times,
            pixels,
            channels,
            modes,
        } = self;
        assert_eq!(u.len(), samples * times * pixels * channels);
        assert_eq!(weight.len(), channels * channels * modes * 2);
        assert!(
            times == 1 || modes <= times / 2 + 1,
            "{modes} modes do not fit {times} times, which have {}",
            times / 2 + 1
        );
    }
}

/// Shared by all blocks.
struct Layer {
    shape: TemporalShape,
    products: Vec<Product>,
    tables: Tables,
}

/// Work of one thread: blocks, each with its pieces of the result, sample by sample, time by time.
type Job<'a> = Vec<(Block, Vec<&'a mut [f32]>)>;

/// Rows for each product, side by side, of the largest block.
struct Working {
    /// Inputs of the products.
    spectrum: Scratch,
    /// Outputs of the products.
    mixed: Scratch,
}

impl Layer {
    fn new(shape: TemporalShape) -> Self {
        let products = products(shape.times, shape.modes.min(shape.times / 2 + 1));
        let tables = Tables::new(&products, shape.times);
        Self {
            shape,
            products,
            tables,
        }
    }

    /// Shares the blocks of a result among threads; each block has `passes` times its products.
    fn jobs<'a>(&self, passes: usize, result: &'a mut [f32]) -> Vec<Job<'a>> {
        let blocks = blocks(self.shape, self.products.len());
        let channels = self.shape.channels;
        let rows = blocks.first().map_or(0, Block::rows);
        let cost = 2 * passes * rows * self.products.len() * channels * channels;
        let ranges = threads::ranges(blocks.len(), cost);
        let pieces = pieces(result, &blocks, self.shape);
        let mut all = blocks.into_iter().zip(pieces);
        ranges
            .iter()
            .map(|range| all.by_ref().take(range.len()).collect())
            .collect()
    }

    fn working_memory(&self, job: &Job<'_>) -> Working {
        let rows = job.iter().map(|(block, _)| block.rows()).max().unwrap_or(0);
        let take = || Scratch::take(rows * self.shape.channels * self.products.len());
        Working {
            spectrum: take(),
            mixed: take(),
        }
    }

    fn pass<'a>(&'a self, block: &'a Block, u: &'a [f32]) -> Pass<'a> {
        Pass {
            layer: self,
            block,
            u,
        }
    }
}

/// The work on one block.
struct Pass<'a> {
    layer: &'a Layer,
    block: &'a Block,
    u: &'a [f32],
}

impl Pass<'_> {
    /// Values of one sample at one time.
    fn len(&self) -> usize {
        self.block.pixels.len() * self.layer.shape.channels
    }

    /// Values of one product.
    fn stride(&self) -> usize {
        self.block.rows() * self.layer.shape.channels
    }

    /// The times of a sample of the block, in a tensor like `u`.
    fn times_of<'b>(&self, tensor: &'b [f32], sample: usize) -> Rows<'b> {
        let TemporalShape {
            times,
            pixels,
            channels,
            ..
        } = self.layer.shape;
        let sample = self.block.samples.start + sample;
        let from = (sample * times * pixels + self.block.pixels.start) * channels;
        Rows {
            data: &tensor[from..],
            stride: pixels * channels,
        }
    }

    /// The products of a sample of the block.
    fn products_of<'b>(&self, of_block: &'b [f32], sample: usize) -> Rows<'b> {
        Rows {
            data: &of_block[sample * self.len()..],
            stride: self.stride(),
        }
    }

    /// The same to write.
    fn products_mut<'b>(&self, of_block: &'b mut [f32], sample: usize) -> Vec<&'b mut [f32]> {
        let place = sample * self.len()..(sample + 1) * self.len();
        let all = of_block
            .chunks_exact_mut(self.stride())
            .take(self.layer.products.len());
        all.map(|of_product| &mut of_product[place.clone()])
            .collect()
    }

    /// Both parts of the working memory: inputs and outputs of the products.
    fn mixed(&self, matrices: &[f32], working: &mut Working) {
        for sample in 0..self.block.samples.len() {
            let from = self.times_of(self.u, sample);
            let mut to = self.products_mut(&mut working.spectrum, sample);
            mix::<Plain>(&self.layer.tables.analysis, from, from, &mut to);
        }
        self.multiply(&working.spectrum, matrices, &mut working.mixed);
    }

    /// Each product's rows times its matrix.
    fn multiply(&self, rows: &[f32], matrices: &[f32], result: &mut [f32]) {
        let channels = self.layer.shape.channels;
        let shape = [self.block.rows(), channels];
        let gemm = Gemm::dense(shape, channels, [channels, 1], false);
        let stride = self.stride();
        let products = rows
            .chunks_exact(stride)
            .zip(result.chunks_exact_mut(stride));
        for (matrix, (rows, result)) in matrices.chunks_exact(channels * channels).zip(products) {
            gemm.run(rows, matrix, result);
        }
    }
}
