//! Arrangements of pictures: grids and enlargements.

use super::{PictureError, Uint8Images};

/// Pixels between the pictures of a grid and around them.
const GAP: usize = 2;

impl Uint8Images {
    /// Arranges the first `rows`·`columns` pictures on white, row by row, as one picture.
    ///
    /// Places without a picture stay white.
    ///
    /// # Errors
    ///
    /// [`PictureError::Shape`] if there is no place at all.
    pub fn grid(&self, rows: usize, columns: usize) -> Result<Self, PictureError> {
        let (h, w, c) = (self.height, self.width, self.channels);
        if rows == 0 || columns == 0 {
            let (count, found) = (rows * columns, 0);
            return Err(PictureError::Shape {
                found,
                count,
                height: h,
                width: w,
                channels: c,
            });
        }
        let height = rows * (h + GAP) + GAP;
        let width = columns * (w + GAP) + GAP;
        let mut bytes = vec![255; height * width * c];
        for (place, image) in self
            .bytes
            .chunks_exact(h * w * c)
            .enumerate()
            .take(rows * columns)
        {
            let top = place / columns * (h + GAP) + GAP;
            let left = place % columns * (w + GAP) + GAP;
            for (y, row) in image.chunks_exact(w * c).enumerate() {
                let start = ((top + y) * width + left) * c;
                bytes[start..start + w * c].copy_from_slice(row);
            }
        }
        Self::new(1, height, width, c, bytes)
    }

    /// Repeats every pixel `factor` times in both directions; 0 counts as 1.
    pub fn enlarged(&self, factor: usize) -> Self {
        let factor = factor.max(1);
        let mut bytes = Vec::with_capacity(self.bytes.len() * factor * factor);
        for row in self.bytes.chunks_exact(self.width * self.channels) {
            for _ in 0..factor {
                for pixel in row.chunks_exact(self.channels) {
                    (0..factor).for_each(|_| bytes.extend_from_slice(pixel));
                }
            }
        }
        Self {
            height: self.height * factor,
            width: self.width * factor,
            bytes,
            ..*self
        }
    }
}
