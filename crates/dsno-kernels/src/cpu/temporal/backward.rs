//! Gradients of the Fourier convolution along time.

use super::{
    Added, Gemm, Job, Layer, Pass, Plain, Product, Scratch, Sloped, TemporalShape, Working,
    for_overwrite, mix, threads, weights,
};
use crate::cpu::transpose::Transpose;

/// Gradients of the input and of the weights, shaped as those.
///
/// With `A` the sums over times before the products, `S` those after and `W` a product's matrix:
///
/// ```text
/// z  = S(A(u)·W)                       recomputed, for its sign
/// g  = Sᵀ(dy·LeakyReLU′(z))            slope 1 at z = 0
/// du = dy + Aᵀ(g·Wᵀ)     dW = A(u)ᵀ·g
/// ```
pub(crate) fn backward(
    shape: TemporalShape,
    u: &[f32],
    weight: &[f32],
    dy: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    shape.check(u, weight);
    assert_eq!(dy.len(), u.len());
    let layer = Layer::new(shape);
    let pairs = shape.channels * shape.channels;
    let matrices = weights::matrices(&layer.products, weight, shape.modes);
    let turned = turned(&layer.products, shape.channels, &matrices);
    let mut du = for_overwrite(u.len());
    let parts = threads::run(layer.jobs(3, &mut du), |job: Job<'_>| {
        let mut working = layer.working_memory(&job);
        let mut sums = Scratch::zeros(layer.products.len() * pairs);
        for (block, mut du) in job {
            let pass = layer.pass(&block, u);
            pass.mixed(&matrices, &mut working);
            pass.gradient_of_mixed(dy, &mut working.mixed);
            pass.add_weights(&working, &mut sums);
            pass.multiply(&working.mixed, &turned, &mut working.spectrum);
            for (sample, du) in du.chunks_mut(shape.times).enumerate() {
                let from = pass.products_of(&working.spectrum, sample);
                mix::<Added>(
                    &layer.tables.analysis_back,
                    from,
                    pass.times_of(dy, sample),
                    du,
                );
            }
        }
        sums
    });
    let mut parts = parts.into_iter();
    let mut sums = parts
        .next()
        .unwrap_or_else(|| Scratch::zeros(layer.products.len() * pairs));
    for part in parts {
        threads::add(&mut sums, part.iter().copied());
    }
    (
        du,
        weights::gradient(&layer.products, &sums, pairs, shape.modes),
    )
}

/// The transpose of each product's matrix.
fn turned(products: &[Product], channels: usize, matrices: &[f32]) -> Scratch {
    let mut turned = Scratch::take(matrices.len());
    let transpose = Transpose {
        rows: channels,
        columns: channels,
        from_stride: channels,
        to_stride: channels,
        factor: 1.0,
    };
    let pairs = channels * channels;
    let both = matrices
        .chunks_exact(pairs)
        .zip(turned.chunks_exact_mut(pairs));
    both.take(products.len())
        .for_each(|(from, to)| transpose.run(from, to));
    turned
}

impl Pass<'_> {
    /// Puts in the place of what came out of the products the gradient of it.
    fn gradient_of_mixed(&self, dy: &[f32], mixed: &mut [f32]) {
        let tables = &self.layer.tables;
        let times = self.layer.shape.times;
        let mut before = Scratch::take(times * self.len());
        for sample in 0..self.block.samples.len() {
            let mut rows: Vec<_> = before.chunks_exact_mut(self.len()).collect();
            let from = self.products_of(mixed, sample);
            mix::<Sloped>(
                &tables.synthesis,
                from,
                self.times_of(dy, sample),
                &mut rows,
            );
            let before = super::Rows {
                data: &before,
                stride: self.len(),
            };
            let mut to = self.products_mut(mixed, sample);
            mix::<Plain>(&tables.synthesis_back, before, before, &mut to);
        }
    }

    /// Adds the gradients of the products' matrices.
    fn add_weights(&self, working: &Working, sums: &mut [f32]) {
        let channels = self.layer.shape.channels;
        let depth = self.block.rows();
        let gemm = Gemm::dense([channels; 2], depth, [1, channels], true);
        let spectrum = working.spectrum.chunks_exact(self.stride());
        let both = spectrum.zip(working.mixed.chunks_exact(self.stride()));
        for (sums, (a, b)) in sums.chunks_exact_mut(channels * channels).zip(both) {
            gemm.run(a, b, sums);
        }
    }
}
