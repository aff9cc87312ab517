//! Both directions of the convolution by Winograd's tiles, depth first.
//!
//! A thread goes through blocks of tiles so small that all between reading `x` and writing `y`
//! stays in its cache; one product of matrices per point of the transform does the summing over
//! channels.

use std::ops::Range;

use super::super::gemm::Gemm;
use super::super::scratch::{Scratch, for_overwrite};
use super::super::threads;
use super::choice::tiles_per_block;
use super::grid::{Grid, Spectrum, blocks, padded};
use super::input::Input;
use super::tile::Tile;
use super::weight::{self, Transformed};
use super::{ConvGradients, ConvShape, data, result};

fn grid(shape: ConvShape, tile: usize) -> Grid {
    Grid {
        height: shape.height,
        width: shape.width,
        tile,
    }
}

/// Floating-point operations of a row of tiles.
fn cost(shape: ConvShape, grid: Grid, points: usize) -> usize {
    let [inputs, outputs] = [padded(shape.channels_in), padded(shape.channels_out)];
    grid.columns() * points * (2 * inputs * outputs + 8 * (inputs + outputs))
}

/// `conv(x) + bias + residual`.
pub(super) fn forward<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let grid = grid(shape, M);
    let channels = [shape.channels_in, shape.channels_out];
    let u = Transformed::new::<T, M, N>(weight, channels);
    let mut padded_bias = Scratch::zeros(padded(shape.channels_out));
    if let Some(bias) = bias {
        padded_bias[..bias.len()].copy_from_slice(bias);
    }
    let (u, bias) = (&u, &padded_bias[..]);
    let line = shape.width * shape.channels_out;
    let mut y = for_overwrite(shape.images * shape.height * line);
    let ranges = threads::ranges(shape.images * grid.rows(), cost(shape, grid, N * N));
    let mut rest = &mut y[..];
    let mut jobs = Vec::with_capacity(ranges.len());
    for range in ranges {
        let place = grid.result_row(range.start) * line..grid.result_row(range.end) * line;
        let (part, later) = std::mem::take(&mut rest).split_at_mut(place.len());
        rest = later;
        jobs.push((range, residual.map(|residual| &residual[place]), part));
    }
    threads::run(jobs, |(range, residual, y)| {
        forward_rows::<T, M, N>(shape, input, u, bias, residual, range, y);
    });
    y
}

/// The rows `range` of tiles, counted over all images, of [`forward`].
fn forward_rows<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    u: &Transformed,
    bias: &[f32],
    residual: Option<&[f32]>,
    range: Range<usize>,
    y: &mut [f32],
) {
    let grid = grid(shape, M);
    let [inputs, outputs] = [padded(shape.channels_in), padded(shape.channels_out)];
    let line = shape.width * shape.channels_out;
    let origin = grid.result_row(range.start);
    let most = (tiles_per_block(inputs, outputs) / grid.columns()).max(1);
    let tiles = most.min(range.len()) * grid.columns();
    let from = Spectrum {
        rows: tiles,
        columns: inputs,
    };
    let to = Spectrum {
        rows: tiles,
        columns: outputs,
    };
    let mut image = Scratch::take(grid.padded_height() * grid.padded_width() * inputs);
    let mut v = Scratch::take(from.len(N * N));
    let mut m = Scratch::take(to.len(N * N));
    for block in blocks(range, most) {
        for piece in grid.pieces(block.clone()) {
            let rows = piece.rows.start * M..piece.rows.end * M + 2;
            input.fill(grid, piece.image, rows, &mut image);
            data::forward::<T, M, N>(grid, &piece, from, &image, &mut v);
        }
        let product = Gemm {
            rows: block.len() * grid.columns(),
            columns: outputs,
            depth: shape.channels_in,
            a_strides: [inputs, 1],
            b_stride: outputs,
            c_stride: outputs,
            accumulate: false,
        };
        for point in 0..N * N {
            product.run(&v[from.at(point)], u.at(point), &mut m[to.at(point)]);
        }
        for piece in grid.pieces(block) {
            let first = piece.image * grid.rows();
            let start = grid.result_row(first + piece.rows.start) - origin;
            let end = grid.result_row(first + piece.rows.end) - origin;
            let place = start * line..end * line;
            let residual = residual.map(|residual| &residual[place.clone()]);
            let rows = result::Rows {
                bias,
                residual,
                y: &mut y[place],
            };
            result::forward::<T, M, N>(grid, &piece, to, &m, rows, shape.channels_out);
        }
    }
}

/// What one thread's images contribute.
struct Partial {
    /// `dU[ξ][C_in][C_out]`.
    du: Scratch,
    bias: Vec<f64>,
}

/// Gradients of `Σ dy ∘ conv(x)`.
pub(super) fn backward<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> ConvGradients {
    let grid = grid(shape, M);
    let channels = [shape.channels_in, shape.channels_out];
    let u = wants_x.then(|| Transformed::turned::<T, M, N>(weight, channels));
    let image = shape.height * shape.width * shape.channels_in;
    let mut dx = for_overwrite(if wants_x { shape.images * image } else { 0 });
    let work = 3 * grid.rows() * cost(shape, grid, N * N);
    let ranges = threads::ranges(shape.images, work);
    let parts = threads::split(&mut dx, &ranges, if wants_x { image } else { 0 });
    let jobs = ranges.into_iter().zip(parts).collect();
    let partials = threads::run(jobs, |(range, dx)| {
        backward_images::<T, M, N>(shape, input, u.as_ref(), dy, range, dx)
    });
    let layout = Spectrum {
        rows: shape.channels_in,
        columns: padded(shape.channels_out),
    };
    let mut partials = partials.into_iter();
    let Some(mut sum) = partials.next() else {
        return ConvGradients::zeros(shape, wants_x);
    };
    for partial in partials {
        sum.du
            .iter_mut()
            .zip(&partial.du[..])
            .for_each(|(sum, du)| *sum += du);
        sum.bias
            .iter_mut()
            .zip(partial.bias)
            .for_each(|(sum, bias)| *sum += bias);
    }
    ConvGradients {
        x: wants_x.then_some(dx),
        weight: weight::adjoint::<T, M, N>(&sum.du, channels, layout),
        bias: sum.bias.into_iter().map(|bias| bias as f32).collect(),
    }
}

/// The images `range` of [`backward`].
fn backward_images<T: Tile<M, N>, const M: usize, const N: usize>(
    shape: ConvShape,
    input: Input<'_>,
    u: Option<&Transformed>,
    dy: &[f32],
    range: Range<usize>,
    dx: &mut [f32],
) -> Partial {
    let grid = grid(shape, M);
    let [inputs, outputs] = [padded(shape.channels_in), padded(shape.channels_out)];
    let line = shape.width * shape.channels_out;
    let d_image = shape.height * shape.width * shape.channels_in;
    let rows = range.start * grid.rows()..range.end * grid.rows();
    let most = (tiles_per_block(inputs, outputs) / grid.columns()).max(1);
    let tiles = most.min(rows.len()) * grid.columns();
    let from = Spectrum {
        rows: tiles,
        columns: inputs,
    };
    let to = Spectrum {
        rows: tiles,
        columns: outputs,
    };
    let weights = Spectrum {
        rows: shape.channels_in,
        columns: outputs,
    };
    let mut image = Scratch::take(grid.padded_height() * grid.padded_width() * inputs);
    let mut gradient = Scratch::take(if u.is_some() { image.len() } else { 0 });
    let mut v = Scratch::take(from.len(N * N));
    let mut dm = Scratch::take(to.len(N * N));
    let mut partial = Partial {
        du: Scratch::take(weights.len(N * N)),
        bias: vec![0.0; shape.channels_out],
    };
    let mut started = false;
    for block in blocks(rows, most) {
        for piece in grid.pieces(block.clone()) {
            let rows = piece.rows.start * M..piece.rows.end * M + 2;
            input.fill(grid, piece.image, rows, &mut image);
            data::forward::<T, M, N>(grid, &piece, from, &image, &mut v);
            let first = piece.image * grid.rows();
            let start = grid.result_row(first + piece.rows.start) * line;
            let end = grid.result_row(first + piece.rows.end) * line;
            super::add_pixels(&dy[start..end], &mut partial.bias);
            let channels = shape.channels_out;
            result::adjoint::<T, M, N>(grid, &piece, to, &dy[start..end], channels, &mut dm);
        }
        let tiles = block.len() * grid.columns();
        let d_weight = Gemm {
            rows: shape.channels_in,
            columns: outputs,
            depth: tiles,
            a_strides: [1, inputs],
            b_stride: outputs,
            c_stride: outputs,
            accumulate: started,
        };
        let d_data = Gemm {
            rows: tiles,
            columns: inputs,
            depth: shape.channels_out,
            a_strides: [outputs, 1],
            b_stride: inputs,
            c_stride: inputs,
            accumulate: false,
        };
        for point in 0..N * N {
            let (v, dm) = (&mut v[from.at(point)], &dm[to.at(point)]);
            d_weight.run(v, dm, &mut partial.du[weights.at(point)]);
            if let Some(u) = u {
                d_data.run(dm, u.at(point), v);
            }
        }
        started = true;
        if u.is_none() {
            continue;
        }
        for piece in grid.pieces(block) {
            if piece.rows.start == 0 {
                gradient.fill(0.0);
            }
            data::adjoint::<T, M, N>(grid, &piece, from, &v, &mut gradient);
            if piece.ends_image(grid) {
                let dx = &mut dx[(piece.image - range.start) * d_image..][..d_image];
                input.crop(grid, &gradient, dx);
            }
        }
    }
    partial
}
