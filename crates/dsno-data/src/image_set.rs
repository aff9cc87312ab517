//! Images in memory, ready to become tensors.

use std::ops::Range;
use std::path::Path;

use crate::error::DataError;
use crate::picture::Uint8Images;
use pixels::Pixels;

mod batch;
mod decode;
mod folder;
mod idx;
mod pixels;
mod sprite_sheet;

/// A set of images of one size, with or without class labels.
///
/// Pixels are kept as the integers of the files, or as sums of them after averaging, and become
/// reals only when read, so averages are exact and the set takes one or two bytes a pixel:
///
/// ```text
/// x = sum / (127.5 k²) − 1      sum of a k×k block of bytes; computed in f64, rounded to f32
/// ```
///
/// # Examples
///
/// ```
/// use burn::tensor::Device;
/// use dsno_data::{ImageSet, picture::Uint8Images};
///
/// // Two grey images of 2×2 pixels, averaged to one pixel each.
/// let pictures = Uint8Images::new(2, 2, 2, 1, vec![0, 0, 0, 0, 0, 255, 255, 0])?;
/// let images = ImageSet::from_pictures(&pictures).averaged_to(1)?;
/// let batch = images.batch(&[1, 0], &Device::flex());
/// assert_eq!(batch.to_data().try_to_vec::<f32>().unwrap(), [0.0, -1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    channels: usize,
    height: usize,
    width: usize,
    /// Image after image, each `[C, H, W]`.
    pixels: Pixels,
    labels: Option<Vec<u32>>,
    classes: u32,
}

/// What a file reader returns: bytes, image after image, each `[C, H, W]`.
pub(crate) struct Raw {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) labels: Option<Vec<u32>>,
    pub(crate) classes: u32,
}

impl ImageSet {
    /// Reads an IDX file of grey images, and optionally the IDX file of their labels.
    ///
    /// A file whose name ends in `.gz` is decompressed; if only the other spelling of the name
    /// exists, with or without `.gz`, that file is read. The number of classes is one more than
    /// the largest label, or 0 without labels.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] if a file is not there or unreadable.
    /// * [`DataError::IdxMagic`], [`DataError::IdxShape`], [`DataError::Size`] if a file is not
    ///   IDX, is truncated, or is longer than its header says.
    /// * [`DataError::LabelCount`] if labels and images differ in number.
    /// * [`DataError::Empty`] if there are no images.
    pub fn from_idx_files(
        images: impl AsRef<Path>,
        labels: Option<&Path>,
    ) -> Result<Self, DataError> {
        Ok(Self::from_raw(idx::read(images.as_ref(), labels)?))
    }

    /// Reads all PNG and JPEG files of a folder, sorted by name.
    ///
    /// If the folder has sub-folders, each is a class, numbered in the order of their names, and
    /// pictures directly in the folder are not read. Otherwise the set has no labels. With one
    /// channel, colours become luminance (Rec. 601); transparent pixels are laid on white.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] if the folder or a file is unreadable.
    /// * [`DataError::Decode`], [`DataError::ImageSize`] for a damaged or odd-sized picture.
    /// * [`DataError::Channels`] if `channels` is neither 1 nor 3.
    /// * [`DataError::Empty`] if there are no images.
    pub fn from_folder(path: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        Ok(Self::from_raw(folder::read(path.as_ref(), channels)?))
    }

    /// Cuts a PNG sprite sheet into `tile`×`tile` images, row by row, as many as its table lists.
    ///
    /// The table is CSV with a header line; its first two columns are the image's number, counted
    /// from 0, and its label.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] if a file is not there or unreadable.
    /// * [`DataError::LabelLine`] for a malformed table, [`DataError::Decode`] for a damaged
    ///   sheet, [`DataError::SheetRoom`] if it is too small for the table.
    /// * [`DataError::Empty`] if the table lists nothing.
    pub fn from_sprite_sheet(
        sheet: impl AsRef<Path>,
        table: impl AsRef<Path>,
        tile: usize,
    ) -> Result<Self, DataError> {
        Ok(Self::from_raw(sprite_sheet::read(
            sheet.as_ref(),
            table.as_ref(),
            tile,
        )?))
    }

    /// Takes over pictures, for example those of an `.npz` file; the set has no labels.
    pub fn from_pictures(pictures: &Uint8Images) -> Self {
        let [_, height, width, channels] = pictures.shape();
        let bytes = pictures.to_chw();
        Self::from_raw(Raw {
            channels,
            height,
            width,
            bytes,
            labels: None,
            classes: 0,
        })
    }

    fn from_raw(raw: Raw) -> Self {
        let Raw {
            channels,
            height,
            width,
            bytes,
            labels,
            classes,
        } = raw;
        Self {
            channels,
            height,
            width,
            pixels: Pixels::new(bytes),
            labels,
            classes,
        }
    }

    /// Declares how many classes there are, so that a class without images still counts.
    pub(crate) fn with_classes(self, classes: u32) -> Result<Self, (usize, u32)> {
        let labels = self.labels.iter().flatten();
        match labels.enumerate().find(|&(_, &label)| label >= classes) {
            Some((index, &label)) if classes > 0 => Err((index, label)),
            _ if classes == 0 => Ok(Self {
                labels: None,
                classes,
                ..self
            }),
            _ => Ok(Self { classes, ..self }),
        }
    }

    /// Adds black around every image until it is `side`×`side`, the image in the middle.
    ///
    /// # Errors
    ///
    /// [`DataError::Pad`] if an image is already larger.
    pub fn padded_to(&self, side: usize) -> Result<Self, DataError> {
        let (height, width) = (self.height, self.width);
        if height > side || width > side {
            return Err(DataError::Pad {
                height,
                width,
                to: side,
            });
        }
        let pixels = self.pixels.padded([height, width], side);
        Ok(Self {
            height: side,
            width: side,
            pixels,
            ..self.clone_without_pixels()
        })
    }

    /// Averages square blocks of pixels until every image is `side`×`side`; the average is exact.
    ///
    /// # Errors
    ///
    /// [`DataError::Average`] if images are not square or `side` is not a whole fraction, down
    /// to 1/16 of the original size.
    pub fn averaged_to(&self, side: usize) -> Result<Self, DataError> {
        let (height, width) = (self.height, self.width);
        let wrong = DataError::Average {
            height,
            width,
            to: side,
        };
        if height != width || side == 0 || height % side != 0 {
            return Err(wrong);
        }
        let pixels = self.pixels.averaged(width, height / side).ok_or(wrong)?;
        Ok(Self {
            height: side,
            width: side,
            pixels,
            ..self.clone_without_pixels()
        })
    }

    fn clone_without_pixels(&self) -> Self {
        Self {
            pixels: Pixels::new(Vec::new()),
            labels: self.labels.clone(),
            ..*self
        }
    }

    /// Returns the images `range` as a set of their own, for example to hold some out.
    ///
    /// # Errors
    ///
    /// [`DataError::Range`] if the range is empty or reaches beyond the end.
    pub fn split(&self, range: Range<usize>) -> Result<Self, DataError> {
        let Range { start, end } = range;
        if start >= end || end > self.len() {
            return Err(DataError::Range {
                start,
                end,
                len: self.len(),
            });
        }
        let size = self.image_len();
        let pixels = self.pixels.slice(start * size..end * size);
        let labels = self
            .labels
            .as_ref()
            .map(|labels| labels[start..end].to_vec());
        Ok(Self {
            pixels,
            labels,
            ..*self
        })
    }

    /// Number of images, at least 1.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.image_len()
    }

    /// Always false: a set without images is an error when it is opened.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Number of colour channels: 1 grey, 3 red, green, blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Class of every image, each below [`classes`](Self::classes), if the set has classes.
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// Number of classes, 0 if the set has none.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }
}

#[cfg(test)]
mod tests;
