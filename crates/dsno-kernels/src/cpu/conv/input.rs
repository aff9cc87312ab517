//! The convolution's input with zeros around it, and the gradient's way back.

use super::grid::{Grid, padded};

/// The maps that are convolved, `[images, height, width, channels]`.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) x: &'a [f32],
    pub(super) channels: usize,
}

impl Input<'_> {
    /// Rows `rows` of the padded image `[height][width][channels]`, all paddings zero.
    pub(super) fn fill(
        &self,
        grid: Grid,
        image: usize,
        rows: std::ops::Range<usize>,
        out: &mut [f32],
    ) {
        let wide = padded(self.channels);
        let line = grid.width * self.channels;
        let x = &self.x[image * grid.height * line..][..grid.height * line];
        for row in rows {
            let out = &mut out[row * grid.padded_width() * wide..][..grid.padded_width() * wide];
            if row == 0 || row > grid.height {
                out.fill(0.0);
                continue;
            }
            let x = &x[(row - 1) * line..row * line];
            let (left, rest) = out.split_at_mut(wide);
            let (middle, right) = rest.split_at_mut(grid.width * wide);
            left.fill(0.0);
            right.fill(0.0);
            if wide == self.channels {
                middle.copy_from_slice(x);
            } else {
                for (x, out) in x.chunks(self.channels).zip(middle.chunks_mut(wide)) {
                    out[..self.channels].copy_from_slice(x);
                    out[self.channels..].fill(0.0);
                }
            }
        }
    }

    /// The image's gradient from that of the padded image.
    pub(super) fn crop(&self, grid: Grid, d_padded: &[f32], dx: &mut [f32]) {
        let wide = padded(self.channels);
        let rows = d_padded.chunks(grid.padded_width() * wide).skip(1);
        for (row, dx) in rows.zip(dx.chunks_mut(grid.width * self.channels)) {
            let row = &row[wide..];
            if wide == self.channels {
                dx.copy_from_slice(&row[..dx.len()]);
            } else {
                for (row, dx) in row.chunks(wide).zip(dx.chunks_mut(self.channels)) {
                    dx.copy_from_slice(&row[..self.channels]);
                }
            }
        }
    }
}
