//! `y = Aᵀ[Σ_c (Bᵀ d_c B) ∘ U_c]A + bias + residual`, with what comes before.

use std::ops::Range;

use super::super::frame::Frame;
use super::super::grid::{blocks, padded};
use super::super::reader::{Input, Reader};
use super::super::tile::Tile;
use super::super::weight::Transformed;
use super::super::{ConvShape, data, result};
use super::Plan;
use crate::cpu::gemm::Gemm;
use crate::cpu::norm::Moments;
use crate::cpu::scratch::{Scratch, for_overwrite};
use crate::cpu::threads;

/// All that the results are made of.
struct Forward<'a> {
    shape: ConvShape,
    plan: Plan,
    input: Input<'a>,
    u: Transformed,
    /// Zeros where there is none, padded to whole vectors.
    bias: Scratch,
    residual: Option<&'a [f32]>,
}

/// `conv(x) + bias + residual`, and the moments of all images that are normalised.
pub(in super::super) fn forward<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> (Vec<f32>, Vec<Moments>) {
    let plan = Plan::new(shape, M);
    let mut padded_bias = Scratch::zeros(padded(shape.channels_out));
    if let Some(bias) = bias {
        padded_bias[..bias.len()].copy_from_slice(bias);
    }
    let forward = Forward {
        shape,
        plan,
        input,
        u: Transformed::new::<T, M, N>(weight, [shape.channels_in, shape.channels_out]),
        bias: padded_bias,
        residual,
    };
    let (grid, line) = (plan.grid, shape.width * shape.channels_out);
    let mut y = for_overwrite(shape.images * shape.height * line);
    let ranges = threads::ranges(shape.images * grid.rows(), plan.cost(N * N));
    let mut rest = &mut y[..];
    let mut jobs = Vec::with_capacity(ranges.len());
    for range in ranges {
        let len = (grid.result_row(range.end) - grid.result_row(range.start)) * line;
        let (part, later) = std::mem::take(&mut rest).split_at_mut(len);
        rest = later;
        jobs.push((range, part));
    }
    let parts = threads::run(jobs, |(range, y)| {
        // An image that another thread began has its moments from there.
        let known = if range.start.is_multiple_of(grid.rows()) {
            0
        } else {
            input.groups()
        };
        (forward.rows::<T, M, N>(range, y), known)
    });
    let moments = parts
        .into_iter()
        .flat_map(|(moments, known)| moments.into_iter().skip(known));
    let moments = moments.collect();
    (y, moments)
}

impl Forward<'_> {
    /// The rows `range` of tiles, counted over all images; moments of their images.
    fn rows<T: Tile<M, N>, const M: usize, const N: usize>(
        &self,
        range: Range<usize>,
        y: &mut [f32],
    ) -> Vec<Moments> {
        let Plan {
            grid,
            block: most,
            inputs,
            outputs,
        } = self.plan;
        let line = self.shape.width * self.shape.channels_out;
        let origin = grid.result_row(range.start) * line;
        let [from, to] = self.plan.layouts(range.len());
        let mut reader = Reader::new(self.input, range.start / grid.rows(), Vec::new());
        let mut image = Frame::new(grid, self.shape.channels_in);
        let mut v = Scratch::take(from.len(N * N));
        let mut m = Scratch::take(to.len(N * N));
        for block in blocks(range, most) {
            for piece in grid.pieces(block.clone()) {
                image.read(&mut reader, &piece);
                data::forward::<T, M, N>(grid, &piece, from, &image.values, &mut v);
            }
            let tiles = block.len() * grid.columns();
            let depth = self.shape.channels_in;
            let product = Gemm::dense([tiles, outputs], depth, [inputs, 1], false);
            for point in 0..N * N {
                product.run(&v[from.at(point)], self.u.at(point), &mut m[to.at(point)]);
            }
            for piece in grid.pieces(block) {
                let place = piece.results(grid, line);
                let rows = result::Rows {
                    bias: &self.bias,
                    residual: self.residual.map(|residual| &residual[place.clone()]),
                    y: &mut y[place.start - origin..place.end - origin],
                };
                result::forward::<T, M, N>(grid, &piece, to, &m, rows, self.shape.channels_out);
            }
        }
        reader.into_moments()
    }
}
