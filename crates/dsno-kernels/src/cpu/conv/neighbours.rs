//! The nine neighbours of every pixel, side by side.

/// Where the neighbours' values lie in rows of `9·channels`, one row per pixel of an image:
/// neighbour `k = 3·(dy + 1) + (dx + 1)` and channel `c` at `c·strides[0] + k·strides[1]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbours {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) strides: [usize; 2],
}

impl Neighbours {
    /// Values of one image's neighbours.
    pub(super) fn len(self) -> usize {
        self.height * self.width * 9 * self.channels
    }

    /// `rows[p][k] = x[p + k]`, or `x[p − k]` where `reversed`; zero outside the image.
    pub(super) fn gather(self, x: &[f32], reversed: bool, rows: &mut [f32]) {
        rows[..self.len()].fill(0.0);
        self.for_each(reversed, |pixel, row| rows[row] = x[pixel]);
    }

    /// `out[p] += Σ_k rows[p + k][k]`, or `rows[p − k][k]` where `reversed`.
    pub(super) fn sum(self, rows: &[f32], reversed: bool, out: &mut [f32]) {
        // `p + k` as seen from `p` is `q − k` as seen from `q`.
        self.for_each(!reversed, |pixel, row| out[pixel] += rows[row]);
    }

    /// Calls `visit` with the places of `x[p + k, c]`, or `x[p − k, c]`, and of `rows[p][k, c]` for
    /// all pairs inside the image.
    #[inline(always)]
    fn for_each(self, reversed: bool, mut visit: impl FnMut(usize, usize)) {
        let Self {
            height,
            width,
            channels,
            strides,
        } = self;
        for k in 0..9 {
            let from = if reversed { 8 - k } else { k };
            let (down, right) = (from / 3, from % 3);
            // Rows and columns whose neighbour is inside, counted from one before the image.
            let columns = 1_usize.saturating_sub(right)..width.min(width + 1 - right);
            for y in 1_usize.saturating_sub(down)..height.min(height + 1 - down) {
                for x in columns.clone() {
                    let pixel = ((y + down - 1) * width + x + right - 1) * channels;
                    let row = (y * width + x) * 9 * channels + k * strides[1];
                    for channel in 0..channels {
                        visit(pixel + channel, row + channel * strides[0]);
                    }
                }
            }
        }
    }
}
