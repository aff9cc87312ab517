//! Images of bytes, for people and other programs: PNG files, grids, and `.npz` archives.

use std::fs;
use std::path::Path;

use burn::tensor::Tensor;

use dsno_checkpoint::atomic::{self, WriteError};
use dsno_checkpoint::npy::{self, Array, Values};

mod error;
mod grid;

pub use error::PictureError;

/// Converts one pixel from `[-1, 1]` to a byte.
///
/// The fraction is cut off, not rounded, as in the paper's sampling code, so that distances are
/// computed on the same bytes. A margin far above the rounding of f32 and far below a byte lets
/// every byte that came from a file return as it was:
///
/// ```text
/// byte = ⌊clamp((x + 1) · 127.5 + 2⁻¹², 0, 255)⌋        in f64; not-a-number becomes 0
/// ```
///
/// ```
/// use dsno_data::picture::to_u8;
///
/// assert_eq!([-2.0, -1.0, 0.0, 1.0, f32::NAN].map(to_u8), [0, 0, 127, 255, 0]);
/// ```
pub fn to_u8(x: f32) -> u8 {
    const MARGIN: f64 = 1.0 / 4096.0;
    ((f64::from(x) + 1.0) * 127.5 + MARGIN).clamp(0.0, 255.0) as u8
}

/// Pictures of one size as bytes, `[N, H, W, C]`; there is at least one pixel.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_data::picture::Uint8Images;
///
/// let folder = tempfile::tempdir()?;
/// let images = Tensor::<4>::zeros([6, 3, 8, 8], &Device::flex());
/// let pictures = Uint8Images::from_tensor(images)?;
/// pictures.grid(2, 3)?.save_png(0, folder.path().join("grid.png"))?;
/// pictures.save_npz(folder.path().join("samples.npz"))?;
/// assert_eq!(Uint8Images::load_npz(folder.path().join("samples.npz"))?, pictures);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uint8Images {
    count: usize,
    height: usize,
    width: usize,
    channels: usize,
    bytes: Vec<u8>,
}

impl Uint8Images {
    /// Takes over bytes in the order `[N, H, W, C]`.
    ///
    /// # Errors
    ///
    /// [`PictureError::Shape`] if the numbers do not fit, are 0, or `channels` is not 1 or 3.
    pub fn new(
        count: usize,
        height: usize,
        width: usize,
        channels: usize,
        bytes: Vec<u8>,
    ) -> Result<Self, PictureError> {
        let sides = [count, height, width, channels];
        let expected = sides
            .iter()
            .try_fold(1_usize, |product, &n| product.checked_mul(n));
        if bytes.is_empty() || expected != Some(bytes.len()) || !matches!(channels, 1 | 3) {
            return Err(PictureError::Shape {
                found: bytes.len(),
                count,
                height,
                width,
                channels,
            });
        }
        Ok(Self {
            count,
            height,
            width,
            channels,
            bytes,
        })
    }

    /// Converts values `[N, C, H, W]` in `[-1, 1]` with [`to_u8`].
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_values(values: &[f32], [n, c, h, w]: [usize; 4]) -> Result<Self, PictureError> {
        let mut bytes = vec![0; values.len()];
        // A shape that does not fit is refused below; indices must merely stay inside.
        let plane = (h * w).max(1);
        let image = (c * plane).max(1);
        for (at, &value) in values.iter().enumerate() {
            let (index, channel, pixel) = (at / image, at % image / plane, at % plane);
            let target = index * image + pixel * c.max(1) + channel;
            if let Some(byte) = bytes.get_mut(target) {
                *byte = to_u8(value);
            }
        }
        Self::new(n, h, w, c, bytes)
    }

    /// Converts a batch with [`to_u8`].
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit                       |
    /// |----------|----------------|--------------------------------------|
    /// | `images` | `[N, C, H, W]` | `[-1, 1]`, values outside are clamped|
    /// | returned | `[N, H, W, C]` | bytes                                |
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_tensor(images: Tensor<4>) -> Result<Self, PictureError> {
        let shape = images.dims();
        let values: Vec<f32> = images.into_data().iter::<f32>().collect();
        Self::from_values(&values, shape)
    }

    /// Returns `[N, H, W, C]`.
    pub fn shape(&self) -> [usize; 4] {
        [self.count, self.height, self.width, self.channels]
    }

    /// Bytes in the order `[N, H, W, C]`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes in the order `[N, C, H, W]`.
    pub fn to_chw(&self) -> Vec<u8> {
        let mut planes = Vec::with_capacity(self.bytes.len());
        for image in self.bytes.chunks_exact(self.image_len()) {
            for channel in 0..self.channels {
                planes.extend(image.iter().skip(channel).step_by(self.channels));
            }
        }
        planes
    }

    fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Encodes picture `index` as PNG, for example to embed it in a report.
    ///
    /// # Errors
    ///
    /// * [`PictureError::Index`] if there is no such picture.
    /// * [`PictureError::Encode`] if a side exceeds what PNG can hold.
    pub fn encode_png(&self, index: usize) -> Result<Vec<u8>, PictureError> {
        let (width, height, count) = (self.width, self.height, self.count);
        let mut images = self.bytes.chunks_exact(self.image_len());
        let image = images
            .nth(index)
            .ok_or(PictureError::Index { index, count })?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
        let color = if self.channels == 1 {
            png::ColorType::Grayscale
        } else {
            png::ColorType::Rgb
        };
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(image)?;
            writer.finish()
        });
        written.map_err(|source| PictureError::Encode {
            width,
            height,
            source,
        })?;
        Ok(file)
    }

    /// Writes picture `index` as a PNG file, atomically.
    ///
    /// # Errors
    ///
    /// As [`encode_png`](Self::encode_png), and [`PictureError::Write`].
    pub fn save_png(&self, index: usize, path: impl AsRef<Path>) -> Result<(), PictureError> {
        Ok(atomic::write_atomic(path, &self.encode_png(index)?)?)
    }

    /// Writes every picture as `00000.png`, `00001.png`, …, and makes the folder if needed.
    ///
    /// Numbers start at `first`, so that a long sampling can be written batch by batch.
    ///
    /// # Errors
    ///
    /// As [`save_png`](Self::save_png); the pictures before the failure are there.
    pub fn save_png_folder(
        &self,
        folder: impl AsRef<Path>,
        first: usize,
    ) -> Result<(), PictureError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| WriteError::Write {
            path: folder.to_path_buf(),
            source,
        })?;
        (0..self.count).try_for_each(|index| {
            self.save_png(index, folder.join(format!("{:05}.png", first + index)))
        })
    }

    /// Writes all pictures as bytes `[N, H, W, C]` under the name `arr_0`, the layout of the ADM
    /// evaluation suite, atomically.
    ///
    /// # Errors
    ///
    /// [`PictureError::Archive`] if the file could not be written.
    pub fn save_npz(&self, path: impl AsRef<Path>) -> Result<(), PictureError> {
        let array = Array {
            shape: self.shape().to_vec(),
            values: Values::U8(self.bytes.clone()),
        };
        Ok(npy::write_npz(path, &[("arr_0", &array)])?)
    }

    /// Reads the pictures of an `.npz` file: `arr_0`, or else the first array of bytes with three or
    /// four axes.
    ///
    /// # Errors
    ///
    /// * [`PictureError::Archive`] if the file is unreadable.
    /// * [`PictureError::NoPictures`] if it has no such array.
    /// * Those of [`from_array`](Self::from_array).
    pub fn load_npz(path: impl AsRef<Path>) -> Result<Self, PictureError> {
        let path = path.as_ref();
        // Labels beside the pictures may be of any type, so they are not looked at.
        let usual = npy::read_npz_where(path, |name| name == "arr_0")?;
        if let Some(array) = usual.into_values().next() {
            return Self::from_array(array, path);
        }
        let pictures = |array: &Array| {
            matches!(array.values, Values::U8(_)) && matches!(array.shape.len(), 3 | 4)
        };
        let found = npy::read_npz(path)?.into_values().find(pictures);
        found.map_or_else(
            || {
                Err(PictureError::NoPictures {
                    path: path.to_path_buf(),
                })
            },
            |array| Self::from_array(array, path),
        )
    }

    /// Reads the pictures of an `.npy` file.
    ///
    /// # Errors
    ///
    /// * [`PictureError::Archive`] if the file is unreadable.
    /// * Those of [`from_array`](Self::from_array).
    pub fn load_npy(path: impl AsRef<Path>) -> Result<Self, PictureError> {
        let path = path.as_ref();
        Self::from_array(npy::read(path)?, path)
    }

    /// Takes over an array of bytes that was read from `path`: `[N, H, W, C]`, or `[N, H, W]` for
    /// grey pictures.
    ///
    /// # Errors
    ///
    /// * [`PictureError::Array`] if its elements are no bytes or it has other axes.
    /// * [`PictureError::Shape`] if it is empty or has another number of channels.
    pub fn from_array(array: Array, path: &Path) -> Result<Self, PictureError> {
        let Array { shape, values } = array;
        match (shape.as_slice(), values) {
            (&[n, h, w, c], Values::U8(bytes)) => Self::new(n, h, w, c, bytes),
            (&[n, h, w], Values::U8(bytes)) => Self::new(n, h, w, 1, bytes),
            (_, values) => Err(PictureError::Array {
                path: path.to_path_buf(),
                found: values.descr(),
                shape,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
