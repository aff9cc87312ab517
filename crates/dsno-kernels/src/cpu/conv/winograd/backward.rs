//! Gradients by the adjoints of the transforms, `dM = A dy Aᵀ` serving both:
//! `dU = Σ V ∘ dM`, `dg = Gᵀ dU G` and `dV = Σ dM ∘ U`, `dx = B dV Bᵀ`.

use std::ops::Range;

use super::super::frame::Frame;
use super::super::gradient::{InputGradients, Part};
use super::super::grid::{Spectrum, blocks};
use super::super::reader::{Input, Reader};
use super::super::tile::Tile;
use super::super::weight::{self, Transformed};
use super::super::{ConvGradients, ConvShape, add_pixels, data, result};
use super::Plan;
use crate::cpu::gemm::Gemm;
use crate::cpu::norm::Moments;
use crate::cpu::scratch::Scratch;
use crate::cpu::threads;

/// All that the gradients are made of.
struct Backward<'a> {
    shape: ConvShape,
    plan: Plan,
    input: Input<'a>,
    moments: &'a [Moments],
    /// `U[ξ]ᵀ`, where anything before the convolution has gradients.
    u: Option<Transformed>,
    dy: &'a [f32],
}

/// What one thread's images contribute.
struct Sums {
    /// `dU[ξ][C_in][C_out]`.
    du: Scratch,
    bias: Vec<f64>,
}

/// Gradients of `Σ dy ∘ conv(x)`; `wanted` are those of what comes before the convolution.
pub(in super::super) fn backward<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    moments: &[Moments],
    weight: &[f32],
    dy: &[f32],
    wanted: bool,
) -> ConvGradients {
    let plan = Plan::new(shape, M);
    let channels = [shape.channels_in, shape.channels_out];
    let u = wanted.then(|| Transformed::turned::<T, M, N>(weight, channels));
    let backward = Backward {
        shape,
        plan,
        input,
        moments,
        u,
        dy,
    };
    let mut gradients = InputGradients::new(input, shape.images, wanted);
    let ranges = threads::ranges(shape.images, 3 * plan.grid.rows() * plan.cost(N * N));
    let jobs = ranges
        .iter()
        .cloned()
        .zip(gradients.split(&ranges))
        .collect();
    let mut sums = threads::run(jobs, |(range, part)| {
        backward.images::<T, M, N>(range, part)
    })
    .into_iter();
    let Some(Sums { mut du, mut bias }) = sums.next() else {
        let zeros = (vec![0.0; weight.len()], vec![0.0; shape.channels_out]);
        return gradients.with(wanted, zeros.0, zeros.1);
    };
    for other in sums {
        threads::add(&mut du, other.du.iter().copied());
        threads::add(&mut bias, other.bias);
    }
    let weight = weight::adjoint::<T, M, N>(&du, channels, backward.weights());
    gradients.with(wanted, weight, bias)
}

impl Backward<'_> {
    /// Layout of `dU`.
    fn weights(&self) -> Spectrum {
        Spectrum {
            rows: self.shape.channels_in,
            columns: self.plan.outputs,
        }
    }

    /// The images `range`, block by block.
    fn images<T: Tile<M, N>, const M: usize, const N: usize>(
        &self,
        range: Range<usize>,
        mut part: Part<'_>,
    ) -> Sums {
        let Plan {
            grid, block: most, ..
        } = self.plan;
        let outputs = self.shape.channels_out;
        let rows = range.start * grid.rows()..range.end * grid.rows();
        let [from, to] = self.plan.layouts(rows.len());
        let groups = self.input.groups();
        let moments = self.moments[range.start * groups..range.end * groups].to_vec();
        let mut reader = Reader::new(self.input, range.start, moments);
        let mut image = Frame::new(grid, self.shape.channels_in);
        let mut gradient = self
            .u
            .as_ref()
            .map(|_| Frame::new(grid, self.shape.channels_in));
        let mut v = Scratch::take(from.len(N * N));
        let mut dm = Scratch::take(to.len(N * N));
        let du = Scratch::take(self.weights().len(N * N));
        let mut sums = Sums {
            du,
            bias: vec![0.0; outputs],
        };
        for (at, block) in blocks(rows, most).enumerate() {
            for piece in grid.pieces(block.clone()) {
                image.read(&mut reader, &piece);
                data::forward::<T, M, N>(grid, &piece, from, &image.values, &mut v);
                let dy = &self.dy[piece.results(grid, self.shape.width * outputs)];
                add_pixels(dy, &mut sums.bias);
                result::adjoint::<T, M, N>(grid, &piece, to, dy, outputs, &mut dm);
            }
            let tiles = block.len() * grid.columns();
            let (d_weight, d_data) = self.products(tiles, at > 0);
            let weights = self.weights();
            for point in 0..N * N {
                let (v, dm) = (&mut v[from.at(point)], &dm[to.at(point)]);
                d_weight.run(v, dm, &mut sums.du[weights.at(point)]);
                if let Some(u) = &self.u {
                    // The transformed image is needed no more.
                    d_data.run(dm, u.at(point), v);
                }
            }
            let Some(gradient) = &mut gradient else {
                continue;
            };
            for piece in grid.pieces(block) {
                if piece.rows.start == 0 {
                    gradient.values.fill(0.0);
                }
                data::adjoint::<T, M, N>(grid, &piece, from, &v, &mut gradient.values);
                if piece.ends_image(grid) {
                    gradient.backward(&mut reader, piece.image, part.of(piece.image));
                }
            }
        }
        sums
    }

    /// `dU (+)= Vᵀ·dM` and `dV = dM·Uᵀ` of a block of tiles.
    fn products(&self, tiles: usize, accumulate: bool) -> (Gemm, Gemm) {
        let Plan {
            inputs, outputs, ..
        } = self.plan;
        let ConvShape {
            channels_in,
            channels_out,
            ..
        } = self.shape;
        (
            Gemm::dense([channels_in, outputs], tiles, [1, inputs], accumulate),
            Gemm::dense([tiles, inputs], channels_out, [outputs, 1], false),
        )
    }
}
