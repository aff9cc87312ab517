//! Maps of half and of double size: means of 2×2 pixels, and pixels repeated 2×2.
//!
//! Each is, up to a factor of four, the other's transpose, so that two kernels serve both directions.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{scratch, threads};
use crate::resample::Resample;

#[cfg(test)]
mod tests;

/// The shape of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageShape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl ImageShape {
    /// The number of images in a tensor, and the shape of each.
    fn in_tensor([images, height, width, channels]: [usize; 4]) -> (usize, Self) {
        (
            images,
            Self {
                height,
                width,
                channels,
            },
        )
    }

    /// Half of each side.
    pub(crate) fn halved(self) -> Self {
        let even = self.height.is_multiple_of(2) && self.width.is_multiple_of(2);
        assert!(even, "only even sizes can be halved");
        Self {
            height: self.height / 2,
            width: self.width / 2,
            ..self
        }
    }

    /// Twice each side.
    pub(crate) fn doubled(self) -> Self {
        Self {
            height: 2 * self.height,
            width: 2 * self.width,
            ..self
        }
    }

    /// Values in an image.
    pub(crate) fn size(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values in a row of it.
    fn row(self) -> usize {
        self.width * self.channels
    }
}

impl Resample {
    /// The shape that an image of this shape gets.
    pub(crate) fn result_of(self, input: ImageShape) -> ImageShape {
        match self {
            Self::Keep => input,
            Self::Halve => input.halved(),
            Self::Double => input.doubled(),
        }
    }

    /// One image of shape `input`, on one thread; rows of `x` and of `y` begin every so many values.
    pub(crate) fn image(self, input: ImageShape, [x, y]: [usize; 2], from: &[f32], to: &mut [f32]) {
        let shape = self.result_of(input);
        match self {
            Self::Keep => copy(input, [x, y], from, to),
            Self::Halve => sum(shape, [x, y], from, to, 0.25),
            Self::Double => spread(input, [x, y], from, to, 1.0),
        }
    }

    /// The transpose of [`Self::image`]: from the gradient `dy`, of the shape that an `input` gets,
    /// to `dx`, overwriting it.
    pub(crate) fn image_backward(
        self,
        input: ImageShape,
        [dy, dx]: [usize; 2],
        from: &[f32],
        to: &mut [f32],
    ) {
        let shape = self.result_of(input);
        match self {
            Self::Keep => copy(input, [dy, dx], from, to),
            Self::Halve => spread(shape, [dy, dx], from, to, 0.25),
            Self::Double => sum(input, [dy, dx], from, to, 1.0),
        }
    }
}

/// All images of a tensor of shape `[N, H, W, C]`.
pub(crate) fn forward(resample: Resample, dims: [usize; 4], x: &[f32]) -> Vec<f32> {
    let (images, input) = ImageShape::in_tensor(dims);
    let output = resample.result_of(input);
    let strides = [input.row(), output.row()];
    each(images, [input, output], x, |x, y| {
        resample.image(input, strides, x, y);
    })
}

/// Gradient of the input, of shape `[N, H, W, C]`, from that of the output.
pub(crate) fn backward(resample: Resample, dims: [usize; 4], dy: &[f32]) -> Vec<f32> {
    let (images, input) = ImageShape::in_tensor(dims);
    let output = resample.result_of(input);
    let strides = [output.row(), input.row()];
    each(images, [output, input], dy, |dy, dx| {
        resample.image_backward(input, strides, dy, dx);
    })
}

/// Makes every image of a tensor from one of another, with threads.
fn each(
    count: usize,
    [from, to]: [ImageShape; 2],
    x: &[f32],
    make: impl Fn(&[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    assert_eq!(
        x.len(),
        count * from.size(),
        "one number for each channel of each pixel"
    );
    let mut y = scratch::for_overwrite(count * to.size());
    let cut = threads::ranges(count, from.size() + to.size());
    let jobs = cut
        .iter()
        .cloned()
        .zip(threads::split(&mut y, &cut, to.size()))
        .collect();
    threads::run(jobs, |(range, y): (Range<usize>, &mut [f32])| {
        let x = &x[range.start * from.size()..];
        for (x, y) in x
            .chunks_exact(from.size())
            .zip(y.chunks_exact_mut(to.size()))
        {
            make(x, y);
        }
    });
    y
}

/// Copies rows.
fn copy(shape: ImageShape, strides: [usize; 2], from: &[f32], to: &mut [f32]) {
    for row in 0..shape.height {
        let from = &from[row * strides[0]..][..shape.row()];
        to[row * strides[1]..][..shape.row()].copy_from_slice(from);
    }
}

/// `factor` times the sum of 2×2 pixels, into an image of shape `to_shape`.
fn sum(to_shape: ImageShape, strides: [usize; 2], from: &[f32], to: &mut [f32], factor: f32) {
    let channels = to_shape.channels;
    for row in 0..to_shape.height {
        let (above, below) = from[2 * row * strides[0]..].split_at(strides[0]);
        let rows = [above, below].map(|of| &of[..2 * to_shape.row()]);
        let to = &mut to[row * strides[1]..][..to_shape.row()];
        Arch::new().dispatch(SumRow {
            rows,
            to,
            channels,
            factor,
        });
    }
}

/// `factor` times each pixel of an image of shape `from_shape`, in 2×2 places.
fn spread(from_shape: ImageShape, strides: [usize; 2], from: &[f32], to: &mut [f32], factor: f32) {
    let channels = from_shape.channels;
    for row in 0..from_shape.height {
        let from = &from[row * strides[0]..][..from_shape.row()];
        let (above, below) = to[2 * row * strides[1]..].split_at_mut(strides[1]);
        let rows = [above, below].map(|of| &mut of[..2 * from_shape.row()]);
        Arch::new().dispatch(SpreadRow {
            from,
            rows,
            channels,
            factor,
        });
    }
}

struct SumRow<'a> {
    rows: [&'a [f32]; 2],
    to: &'a mut [f32],
    channels: usize,
    factor: f32,
}

impl WithSimd for SumRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let factor = simd.splat_f32s(self.factor);
        let pixels = self.rows[0]
            .chunks_exact(2 * channels)
            .zip(self.rows[1].chunks_exact(2 * channels));
        for (to, (above, below)) in self.to.chunks_exact_mut(channels).zip(pixels) {
            let ((a, b), (c, d)) = (above.split_at(channels), below.split_at(channels));
            let [(a, a_tail), (b, b_tail), (c, c_tail), (d, d_tail)] =
                [a, b, c, d].map(|of| S::as_simd_f32s(of));
            let (to, to_tail) = S::as_mut_simd_f32s(to);
            for ((to, (a, b)), (c, d)) in to.iter_mut().zip(a.iter().zip(b)).zip(c.iter().zip(d)) {
                *to = scaled_sum(simd, [*a, *b, *c, *d], factor);
            }
            if !to_tail.is_empty() {
                let [a, b, c, d] =
                    [a_tail, b_tail, c_tail, d_tail].map(|of| simd.partial_load_f32s(of));
                simd.partial_store_f32s(to_tail, scaled_sum(simd, [a, b, c, d], factor));
            }
        }
    }
}

/// `factor·((a + b) + (c + d))`.
#[inline(always)]
fn scaled_sum<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4], factor: S::f32s) -> S::f32s {
    simd.mul_f32s(
        simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)),
        factor,
    )
}

struct SpreadRow<'a> {
    from: &'a [f32],
    rows: [&'a mut [f32]; 2],
    channels: usize,
    factor: f32,
}

impl WithSimd for SpreadRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let factor = simd.splat_f32s(self.factor);
        let [above, below] = self.rows;
        let pixels = above
            .chunks_exact_mut(2 * channels)
            .zip(below.chunks_exact_mut(2 * channels));
        for (from, (above, below)) in self.from.chunks_exact(channels).zip(pixels) {
            let (from, from_tail) = S::as_simd_f32s(from);
            let last = simd.mul_f32s(simd.partial_load_f32s(from_tail), factor);
            for to in above
                .chunks_exact_mut(channels)
                .chain(below.chunks_exact_mut(channels))
            {
                let (to, to_tail) = S::as_mut_simd_f32s(to);
                for (to, from) in to.iter_mut().zip(from) {
                    *to = simd.mul_f32s(*from, factor);
                }
                simd.partial_store_f32s(to_tail, last);
            }
        }
    }
}
