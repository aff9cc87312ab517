//! Channels and lanes: numbers of channels that vectors do not divide.
//!
//! A row of pixels, `channels` values each, is passed over in periods: the least number of whole
//! pixels that is also a number of whole vectors. What is known per channel is repeated to one
//! period, so that vectors of it lie beside those of the map, whatever the number of channels.

use std::borrow::Cow;

/// Rows of a map inside a larger one, such as an image inside its padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// Values in a row, `W·C`.
    pub(crate) length: usize,
    /// Distance from one row's first number to the next one's.
    pub(crate) stride: usize,
}

impl Rows {
    /// One row: a map that lies in one piece.
    pub(crate) fn all(length: usize) -> Self {
        Self {
            length,
            stride: length,
        }
    }

    /// Where each row of `len` values begins: among them, and in the larger map.
    pub(super) fn starts(self, len: usize) -> impl Iterator<Item = (usize, usize)> {
        assert!(
            self.length <= self.stride && len.is_multiple_of(self.length),
            "whole rows"
        );
        (0..len / self.length).map(move |row| (row * self.length, row * self.stride))
    }
}

/// The least common multiple of `channels` and `step`.
pub(super) fn period(channels: usize, step: usize) -> usize {
    let (mut a, mut b) = (channels, step);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    channels / a * step
}

/// Repeats what is known per channel to `period` values.
pub(super) fn repeated(channels: &[f32], period: usize) -> Cow<'_, [f32]> {
    if channels.len() == period {
        Cow::Borrowed(channels)
    } else {
        Cow::Owned(channels.repeat(period / channels.len()))
    }
}

/// Sums of each channel from those of each place in a period, in the first places.
#[inline(always)]
pub(super) fn fold(places: &mut [f64], channels: usize) {
    let (sums, rest) = places.split_at_mut(channels);
    for period in rest.chunks_exact(channels) {
        for (sum, place) in sums.iter_mut().zip(period) {
            *sum += place;
        }
    }
}
