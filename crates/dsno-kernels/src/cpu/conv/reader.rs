//! The images that are convolved: as they are, or normalised, activated and resampled first.

use std::ops::Range;

use super::super::norm::{Affine, GroupNorm, ImageGradient, Moments, Rows};
use super::super::norm::{apply, backward_image, statistics_of};
use super::super::resample::ImageShape;
use super::super::scratch::Scratch;
use super::ConvShape;
use crate::resample::Resample;

/// What happens to `x` before the convolution: `resample(norm(x))`, the norm with its SiLU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prologue<'a> {
    pub(crate) norm: GroupNorm<'a>,
    pub(crate) resample: Resample,
}

/// The maps `x` and what happens to them before the convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) x: &'a [f32],
    /// One image of `x`.
    pub(super) source: ImageShape,
    /// One image that is convolved.
    pub(super) image: ImageShape,
    pub(super) prologue: Option<&'a Prologue<'a>>,
}

impl<'a> Input<'a> {
    pub(super) fn new(shape: ConvShape, x: &'a [f32], prologue: Option<&'a Prologue<'a>>) -> Self {
        let image = ImageShape {
            height: shape.height,
            width: shape.width,
            channels: shape.channels_in,
        };
        let source = match prologue.map_or(Resample::Keep, |prologue| prologue.resample) {
            Resample::Keep => image,
            Resample::Halve => image.doubled(),
            Resample::Double => image.halved(),
        };
        assert_eq!(
            x.len(),
            shape.images * source.size(),
            "maps of another shape"
        );
        Self {
            x,
            source,
            image,
            prologue,
        }
    }

    /// Groups of channels that are normalised.
    pub(super) fn groups(self) -> usize {
        self.prologue.map_or(0, |prologue| prologue.norm.groups)
    }

    fn of(self, n: usize) -> &'a [f32] {
        &self.x[n * self.source.size()..][..self.source.size()]
    }
}

/// Reads images for one thread, applying the prologue to each.
pub(super) struct Reader<'a> {
    pub(super) input: Input<'a>,
    /// Number of the first image that has moments below.
    first: usize,
    /// Of the images so far, or of all, `[images, groups]`.
    moments: Vec<Moments>,
    /// Room for an image's affine map.
    table: Scratch,
    /// Room for an image before it is resampled.
    activated: Scratch,
}

impl<'a> Reader<'a> {
    /// A reader of images from `first` on, whose moments are known as far as they are given.
    pub(super) fn new(input: Input<'a>, first: usize, moments: Vec<Moments>) -> Self {
        let resamples = input.source != input.image;
        Self {
            input,
            first,
            moments,
            table: Scratch::take(input.prologue.map_or(0, |_| 3 * input.image.channels)),
            activated: Scratch::take(if resamples { input.source.size() } else { 0 }),
        }
    }

    /// Whether rows of an image can be read one by one without reading others as well.
    pub(super) fn keeps_rows(&self) -> bool {
        self.input.source == self.input.image
    }

    /// Moments of the images read, in order.
    pub(super) fn into_moments(self) -> Vec<Moments> {
        self.moments
    }

    fn moments_of(&mut self, prologue: &Prologue<'_>, n: usize) -> Range<usize> {
        let norm = &prologue.norm;
        let place = (n - self.first) * norm.groups..(n - self.first + 1) * norm.groups;
        if self.moments.len() < place.end {
            self.moments.resize(place.end, Moments::default());
            let moments = &mut self.moments[place.clone()];
            let channels = self.input.image.channels;
            statistics_of(
                self.input.of(n),
                channels,
                norm.groups,
                norm.epsilon,
                moments,
            );
        }
        place
    }

    /// Writes rows of image `n`, `stride` values apart; all rows where not [`Self::keeps_rows`].
    pub(super) fn write(&mut self, n: usize, rows: Range<usize>, out: &mut [f32], stride: usize) {
        let line = self.input.image.width * self.input.image.channels;
        let Some(prologue) = self.input.prologue else {
            let x = &self.input.of(n)[rows.start * line..rows.end * line];
            for (x, out) in x.chunks(line).zip(out.chunks_mut(stride)) {
                out[..line].copy_from_slice(x);
            }
            return;
        };
        let moments = self.moments_of(prologue, n);
        let (norm, x) = (&prologue.norm, self.input.of(n));
        let affine = Affine::of(norm, n, &self.moments[moments], &mut self.table);
        if prologue.resample == Resample::Keep {
            let x = &x[rows.start * line..rows.end * line];
            apply(
                x,
                &affine,
                norm.silu,
                out,
                Rows {
                    length: line,
                    stride,
                },
            );
        } else {
            let source = self.input.source;
            apply(
                x,
                &affine,
                norm.silu,
                &mut self.activated,
                Rows::all(x.len()),
            );
            let strides = [source.width * source.channels, stride];
            prologue
                .resample
                .image(source, strides, &self.activated, out);
        }
    }

    /// Backward pass of a whole image, from the gradient of what [`Self::write`] wrote.
    pub(super) fn backward(&mut self, n: usize, d: &[f32], stride: usize, to: ImageGradient<'_>) {
        let line = self.input.image.width * self.input.image.channels;
        let Some(prologue) = self.input.prologue else {
            for (dx, d) in to.dx.chunks_mut(line).zip(d.chunks(stride)) {
                dx.copy_from_slice(&d[..line]);
            }
            return;
        };
        let place = self.moments_of(prologue, n);
        let (norm, x, moments) = (&prologue.norm, self.input.of(n), &self.moments[place]);
        let affine = Affine::of(norm, n, moments, &mut self.table);
        if prologue.resample == Resample::Keep {
            let rows = Rows {
                length: line,
                stride,
            };
            backward_image(x, &affine, moments, norm.silu, d, rows, to);
        } else {
            let source = self.input.source;
            let strides = [stride, source.width * source.channels];
            prologue
                .resample
                .image_backward(source, strides, d, &mut self.activated);
            let rows = Rows::all(x.len());
            backward_image(x, &affine, moments, norm.silu, &self.activated, rows, to);
        }
    }
}
