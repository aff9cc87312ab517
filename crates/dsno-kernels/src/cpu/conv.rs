//! 3×3 convolution, stride 1, zero padding 1, of channels-last maps.
//!
//! `y[n, p, o] = b[o] + Σ_{k, i} w[o, i, k]·x[n, p + k, i] (+ r[n, p, o])`, `k` over the nine
//! neighbours. By Winograd's minimal filtering where there are channels enough to fill vectors,
//! which takes a quarter of the multiplications; by plain products of matrices from and to few
//! channels.

mod choice;
mod data;
mod frame;
mod gradient;
mod grid;
mod narrow;
mod neighbours;
mod reader;
mod result;
#[cfg(test)]
mod tests;
mod tile;
mod vector;
mod weight;
mod winograd;

pub(crate) use reader::Prologue;

use narrow::Side;
use reader::Input;

use super::norm::{ParameterGradients, Statistics};
use super::scratch::Scratch;

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
    /// Like `x`, if asked for.
    pub(crate) x: Option<Vec<f32>>,
    /// `[channels_out, channels_in, 3, 3]`.
    pub(crate) weight: Vec<f32>,
    /// `[channels_out]`.
    pub(crate) bias: Vec<f32>,
    /// Of the prologue's `γ`, `β` and modulation.
    pub(crate) norm: Option<ParameterGradients>,
}

/// `conv(x) + bias + residual`, where `x` goes through the prologue first if there is one; with the
/// moments of its normalisation.
pub(crate) fn forward(
    shape: ConvShape,
    x: &[f32],
    prologue: Option<&Prologue<'_>>,
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> (Vec<f32>, Option<Statistics>) {
    forward_by(
        choice::choose(shape),
        shape,
        x,
        prologue,
        weight,
        bias,
        residual,
    )
}

/// [`forward`] by an algorithm of the caller's choice.
pub(crate) fn forward_by(
    algorithm: Algorithm,
    shape: ConvShape,
    x: &[f32],
    prologue: Option<&Prologue<'_>>,
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> (Vec<f32>, Option<Statistics>) {
    shape.check(weight, residual, bias);
    let input = Input::new(shape, x, prologue);
    let (y, moments) = match algorithm {
        Algorithm::Four => {
            winograd::forward::<tile::Four, 4, 6>(shape, input, weight, bias, residual)
        }
        Algorithm::Two => {
            winograd::forward::<tile::Two, 2, 4>(shape, input, weight, bias, residual)
        }
        Algorithm::NarrowInput => {
            narrow::forward(Side::Input, shape, input, weight, bias, residual)
        }
        Algorithm::NarrowOutput => {
            narrow::forward(Side::Output, shape, input, weight, bias, residual)
        }
    };
    let groups = input.groups();
    (y, prologue.map(|_| Statistics { groups, moments }))
}

/// Gradients of `Σ dy ∘ y`, with the moments that [`forward`] returned. That of `x` is made where it
/// is wanted, and always behind a prologue.
pub(crate) fn backward(
    shape: ConvShape,
    x: &[f32],
    prologue: Option<(&Prologue<'_>, &Statistics)>,
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> ConvGradients {
    backward_by(
        choice::choose(shape),
        shape,
        x,
        prologue,
        weight,
        dy,
        wants_x,
    )
}

/// [`backward`] by an algorithm of the caller's choice.
pub(crate) fn backward_by(
    algorithm: Algorithm,
    shape: ConvShape,
    x: &[f32],
    prologue: Option<(&Prologue<'_>, &Statistics)>,
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> ConvGradients {
    shape.check(weight, Some(dy), None);
    let input = Input::new(shape, x, prologue.map(|(prologue, _)| prologue));
    let moments = prologue.map_or(&[][..], |(_, statistics)| &statistics.moments);
    let wanted = wants_x || prologue.is_some();
    match algorithm {
        Algorithm::Four => {
            winograd::backward::<tile::Four, 4, 6>(shape, input, moments, weight, dy, wanted)
        }
        Algorithm::Two => {
            winograd::backward::<tile::Two, 2, 4>(shape, input, moments, weight, dy, wanted)
        }
        Algorithm::NarrowInput => {
            narrow::backward(Side::Input, shape, input, moments, weight, dy, wanted)
        }
        Algorithm::NarrowOutput => {
            narrow::backward(Side::Output, shape, input, moments, weight, dy, wanted)
        }
    }
}

impl ConvShape {
    fn check(self, weight: &[f32], result: Option<&[f32]>, bias: Option<&[f32]>) {
        let Self {
            images,
            height,
            width,
            channels_in,
            channels_out,
        } = self;
        assert_eq!(
            weight.len(),
            9 * channels_in * channels_out,
            "weights of another shape"
        );
        let results = images * height * width * channels_out;
        assert!(
            result.is_none_or(|y| y.len() == results),
            "results of another shape"
        );
        assert!(
            bias.is_none_or(|bias| bias.len() == channels_out),
            "one bias per channel"
        );
    }
}

/// Adds the sum over the pixels of `map` to `sums`, one per channel.
fn add_pixels(map: &[f32], sums: &mut [f64]) {
    let channels = sums.len();
    let mut part = Scratch::take(channels);
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            // A few pixels at a time in f32, those sums in f64.
            for rows in map.chunks(64 * channels) {
                part.fill(0.0);
                for pixel in rows.chunks_exact(channels) {
                    for (sum, value) in part.iter_mut().zip(pixel) {
                        *sum += value;
                    }
                }
                for (sum, &part) in sums.iter_mut().zip(&part[..]) {
                    *sum += f64::from(part);
                }
            }
        },
    );
}
