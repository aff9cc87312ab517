//! Buffers for gradients of images and of their normalisation.

use std::ops::Range;

use super::super::norm::{ImageGradient, parameter_gradients};
use super::super::scratch::for_overwrite;
use super::super::threads;
use super::ConvGradients;
use super::reader::Input;

/// Gradients with respect to all that comes before the convolution.
pub(super) struct InputGradients<'a> {
    input: Input<'a>,
    /// Like `x`; empty if not needed.
    x: Vec<f32>,
    /// `Σ dp·x̂` and `Σ dp`, `[images, channels]`; empty without a normalisation.
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl<'a> InputGradients<'a> {
    pub(super) fn new(input: Input<'a>, images: usize, wanted: bool) -> Self {
        let sums = input.prologue.map_or(0, |_| images * input.image.channels);
        Self {
            input,
            x: for_overwrite(if wanted {
                images * input.source.size()
            } else {
                0
            }),
            gain: vec![0.0; sums],
            offset: vec![0.0; sums],
        }
    }

    /// One part for each range of images.
    pub(super) fn split(&mut self, ranges: &[Range<usize>]) -> Vec<Part<'_>> {
        let channels = self.input.prologue.map_or(0, |_| self.input.image.channels);
        let size = if self.x.is_empty() {
            0
        } else {
            self.input.source.size()
        };
        threads::split(&mut self.x, ranges, size)
            .into_iter()
            .zip(threads::split(&mut self.gain, ranges, channels))
            .zip(threads::split(&mut self.offset, ranges, channels))
            .zip(ranges)
            .map(|(((x, gain), offset), range)| Part {
                first: range.start,
                sizes: [size, channels],
                x,
                gain,
                offset,
            })
            .collect()
    }

    /// Together with those of the weight and the bias.
    pub(super) fn with(self, wanted: bool, weight: Vec<f32>, bias: Vec<f64>) -> ConvGradients {
        let (gain, offset) = (&self.gain, &self.offset);
        let prologue = self.input.prologue;
        ConvGradients {
            x: wanted.then_some(self.x),
            weight,
            bias: bias.into_iter().map(|bias| bias as f32).collect(),
            norm: prologue.map(|prologue| parameter_gradients(&prologue.norm, gain, offset)),
        }
    }
}

/// The part of one thread.
pub(super) struct Part<'a> {
    first: usize,
    /// Values of an image in `x`, and in the others.
    sizes: [usize; 2],
    x: &'a mut [f32],
    gain: &'a mut [f32],
    offset: &'a mut [f32],
}

impl Part<'_> {
    /// Where the gradients of image `n` go.
    pub(super) fn of(&mut self, n: usize) -> ImageGradient<'_> {
        let [size, channels] = self.sizes;
        let n = n - self.first;
        ImageGradient {
            dx: &mut self.x[n * size..][..size],
            d_gain: &mut self.gain[n * channels..][..channels],
            d_offset: &mut self.offset[n * channels..][..channels],
        }
    }
}
