//! 3×3 convolution, stride 1, zero padding 1, of channels-last maps.
//!
//! `y[n, p, o] = b[o] + Σ_{k, i} w[o, i, k]·x[n, p + k, i] (+ r[n, p, o])`, `k` over the nine
//! neighbours. By Winograd's minimal filtering where there are channels enough to fill vectors,
//! which takes a quarter of the multiplications; by plain products of matrices from and to few
//! channels.

mod choice;
mod data;
mod grid;
mod input;
mod narrow;
mod neighbours;
mod result;
#[cfg(test)]
mod tests;
mod tile;
mod vector;
mod weight;
mod winograd;

use input::Input;
use narrow::Side;

use super::scratch;

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) images: usize,
    /// Of the output.
    pub(crate) height: usize,
    /// Of the output.
    pub(crate) width: usize,
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// `F(4×4, 3×3)`.
    Four,
    /// `F(2×2, 3×3)`.
    Two,
    /// One product of every pixel's nine neighbours: few input channels.
    NarrowInput,
    /// Every pixel's contributions to its nine neighbours, then summed: few output channels.
    NarrowOutput,
}

/// Gradients of `Σ dy ∘ y`.
#[derive(Debug)]
pub(crate) struct ConvGradients {
    /// `[images, height, width, channels_in]` where wanted.
    pub(crate) x: Option<Vec<f32>>,
    /// `[channels_out, channels_in, 3, 3]`.
    pub(crate) weight: Vec<f32>,
    /// `[channels_out]`.
    pub(crate) bias: Vec<f32>,
}

impl ConvGradients {
    fn zeros(shape: ConvShape, wants_x: bool) -> Self {
        let ConvShape {
            images,
            height,
            width,
            channels_in,
            channels_out,
        } = shape;
        Self {
            x: wants_x.then(|| vec![0.0; images * height * width * channels_in]),
            weight: vec![0.0; channels_out * channels_in * 9],
            bias: vec![0.0; channels_out],
        }
    }
}

/// `conv(x) + bias + residual`.
pub(crate) fn forward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    forward_by(choice::choose(shape), shape, x, weight, bias, residual)
}

/// [`forward`] by an algorithm of the caller's choice.
pub(crate) fn forward_by(
    algorithm: Algorithm,
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let input = Input {
        x,
        channels: shape.channels_in,
    };
    match algorithm {
        Algorithm::Four => {
            winograd::forward::<tile::Four, 4, 6>(shape, input, weight, bias, residual)
        }
        Algorithm::Two => {
            winograd::forward::<tile::Two, 2, 4>(shape, input, weight, bias, residual)
        }
        Algorithm::NarrowInput => narrow::forward(Side::Input, shape, x, weight, bias, residual),
        Algorithm::NarrowOutput => narrow::forward(Side::Output, shape, x, weight, bias, residual),
    }
}

/// Gradients of `Σ dy ∘ conv(x)`; that of `x` only where it is wanted.
pub(crate) fn backward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> ConvGradients {
    backward_by(choice::choose(shape), shape, x, weight, dy, wants_x)
}

/// [`backward`] by an algorithm of the caller's choice.
pub(crate) fn backward_by(
    algorithm: Algorithm,
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> ConvGradients {
    let input = Input {
        x,
        channels: shape.channels_in,
    };
    match algorithm {
        Algorithm::Four => {
            winograd::backward::<tile::Four, 4, 6>(shape, input, weight, dy, wants_x)
        }
        Algorithm::Two => winograd::backward::<tile::Two, 2, 4>(shape, input, weight, dy, wants_x),
        Algorithm::NarrowInput => narrow::backward(Side::Input, shape, x, weight, dy, wants_x),
        Algorithm::NarrowOutput => narrow::backward(Side::Output, shape, x, weight, dy, wants_x),
    }
}

/// Adds the sum over the pixels of `map` to `sums`, one per channel.
fn add_pixels(map: &[f32], sums: &mut [f64]) {
    let channels = sums.len();
    let mut part = scratch::Scratch::take(channels);
    // A few pixels at a time in f32, those sums in f64.
    for rows in map.chunks(64 * channels) {
        part.fill(0.0);
        for pixel in rows.chunks(channels) {
            part.iter_mut()
                .zip(pixel)
                .for_each(|(sum, value)| *sum += value);
        }
        sums.iter_mut()
            .zip(&part[..])
            .for_each(|(sum, &part)| *sum += f64::from(part));
    }
}
