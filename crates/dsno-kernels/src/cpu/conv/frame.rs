//! Images with zeros around them.

use super::super::norm::ImageGradient;
use super::super::scratch::Scratch;
use super::grid::{Grid, Piece, padded};
use super::reader::Reader;

/// An image with a border of zeros, as far as its tiles reach, and whole vectors of channels.
pub(super) struct Frame {
    grid: Grid,
    channels: usize,
    pub(super) values: Scratch,
    /// The image that is here, and its padded rows that are.
    image: usize,
    filled: usize,
    /// Room for an image whose channels are no whole vectors.
    plain: Scratch,
}

impl Frame {
    pub(super) fn new(grid: Grid, channels: usize) -> Self {
        let wide = padded(channels);
        let plain = if wide == channels {
            0
        } else {
            grid.height * grid.width * channels
        };
        Self {
            grid,
            channels,
            values: Scratch::take(grid.padded_height() * grid.padded_width() * wide),
            image: usize::MAX,
            filled: 0,
            plain: Scratch::take(plain),
        }
    }

    /// Values from one padded row to the next.
    fn stride(&self) -> usize {
        self.grid.padded_width() * padded(self.channels)
    }

    /// Place of the image's row `row`, its first pixel.
    fn start(&self, row: usize) -> usize {
        (row + 1) * self.stride() + padded(self.channels)
    }

    /// Reads the rows that the piece's tiles see, except those that are here already.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, piece: &Piece) {
        let (grid, stride, wide) = (self.grid, self.stride(), padded(self.channels));
        let mut rows = piece.rows.start * grid.tile..piece.rows.end * grid.tile + 2;
        if !reader.keeps_rows() {
            rows = 0..grid.padded_height();
        }
        if self.image == piece.image {
            rows.start = rows.start.max(self.filled);
        }
        (self.image, self.filled) = (piece.image, rows.end);
        for row in rows.clone() {
            let line = &mut self.values[row * stride..][..stride];
            if (1..=grid.height).contains(&row) {
                line[..wide].fill(0.0);
                line[(1 + grid.width) * wide..].fill(0.0);
            } else {
                line.fill(0.0);
            }
        }
        let inside = rows.start.max(1) - 1..(rows.end.max(1) - 1).min(grid.height);
        if inside.is_empty() {
            return;
        }
        let start = self.start(inside.start);
        if wide == self.channels {
            reader.write(piece.image, inside, &mut self.values[start..], stride);
            return;
        }
        let line = grid.width * self.channels;
        let plain = &mut self.plain[..inside.len() * line];
        reader.write(piece.image, inside, plain, line);
        for (from, to) in plain
            .chunks(line)
            .zip(self.values[start..].chunks_mut(stride))
        {
            for (from, to) in from.chunks(self.channels).zip(to.chunks_mut(wide)) {
                to[..self.channels].copy_from_slice(from);
                to[self.channels..].fill(0.0);
            }
        }
    }

    /// Backward pass through the reader, where this frame holds the gradient of the whole image `n`.
    pub(super) fn backward(&mut self, reader: &mut Reader<'_>, n: usize, to: ImageGradient<'_>) {
        let (stride, wide, start) = (self.stride(), padded(self.channels), self.start(0));
        if wide == self.channels {
            reader.backward(n, &self.values[start..], stride, to);
            return;
        }
        let line = self.grid.width * self.channels;
        for (from, to) in self.values[start..]
            .chunks(stride)
            .zip(self.plain.chunks_mut(line))
        {
            for (from, to) in from.chunks(wide).zip(to.chunks_mut(self.channels)) {
                to.copy_from_slice(&from[..self.channels]);
            }
        }
        reader.backward(n, &self.plain, line, to);
    }
}
