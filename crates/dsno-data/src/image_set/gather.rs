//! Images are prepared one by one as they are read, so that a set is in memory once.

use std::borrow::Cow;

use super::ImageSet;
use super::pixels::{self, Pixels};
use crate::error::DataError;

/// Largest factor that images are averaged by; sums of 16×16 bytes still fit 16 bits.
const LARGEST_FACTOR: usize = 16;

/// Largest side that images are padded to, in pixels.
const LARGEST_SIDE: usize = 1 << 14;

/// What is done with every image: padded first, averaged second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prepare {
    pub(crate) pad_to: Option<usize>,
    pub(crate) average_to: Option<usize>,
}

impl Prepare {
    /// Height and width of an image after padding, and the factor that it is then averaged by.
    ///
    /// # Errors
    ///
    /// [`DataError::Pad`] and [`DataError::Average`] if images of this size cannot be prepared.
    pub(crate) fn plan(self, size: [usize; 2]) -> Result<([usize; 2], usize), DataError> {
        let [height, width] = size;
        let [height, width] = match self.pad_to {
            Some(to) if height > to || width > to || to > LARGEST_SIDE => {
                return Err(DataError::Pad { height, width, to });
            }
            Some(to) => [to; 2],
            None => size,
        };
        let Some(to) = self.average_to else {
            return Ok(([height, width], 1));
        };
        let fits = height == width && (1..=height).contains(&to) && height.is_multiple_of(to);
        if !fits || height / to > LARGEST_FACTOR {
            return Err(DataError::Average { height, width, to });
        }
        Ok(([height, width], height / to))
    }
}

/// A set that grows image by image.
pub(super) struct Gather {
    channels: usize,
    /// As read.
    size: [usize; 2],
    padded: [usize; 2],
    factor: usize,
    pixels: Pixels,
}

impl Gather {
    /// Begins a set of at most about `count` images of one size.
    ///
    /// # Errors
    ///
    /// Those of [`Prepare::plan`].
    pub(super) fn new(
        prepare: Prepare,
        channels: usize,
        size: [usize; 2],
        count: usize,
    ) -> Result<Self, DataError> {
        let (padded, factor) = prepare.plan(size)?;
        let values = (padded[0] / factor).saturating_mul(padded[1] / factor);
        let values = values.saturating_mul(channels);
        Ok(Self {
            channels,
            size,
            padded,
            factor,
            pixels: Pixels::with_room(values.saturating_mul(count), factor),
        })
    }

    /// Adds an image, `[C, H, W]`.
    pub(super) fn push(&mut self, planes: &[u8]) {
        let planes = if self.padded == self.size {
            Cow::Borrowed(planes)
        } else {
            Cow::Owned(pixels::pad(planes, self.size, self.padded[0]))
        };
        match &mut self.pixels {
            Pixels::Bytes(bytes) => bytes.extend_from_slice(&planes),
            Pixels::Sums { sums, .. } => {
                pixels::sum_blocks(&planes, self.padded[1], self.factor, sums);
            }
        }
    }

    /// The set.
    pub(super) fn finish(self, labels: Option<Vec<u32>>, classes: u32) -> ImageSet {
        ImageSet {
            channels: self.channels,
            height: self.padded[0] / self.factor,
            width: self.padded[1] / self.factor,
            pixels: self.pixels,
            labels,
            classes,
        }
    }
}
