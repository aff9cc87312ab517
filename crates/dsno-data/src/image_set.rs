//! Images in memory, ready to become tensors.

use std::ops::Range;
use std::path::Path;

use crate::error::DataError;
use crate::picture::Uint8Images;
use gather::Prepare;
use listing::Listing;
use pixels::Pixels;

mod batch;
mod decode;
pub(crate) mod folder;
pub(crate) mod gather;
pub(crate) mod idx;
pub(crate) mod listing;
mod magic;
mod pixels;
pub(crate) mod sprite_sheet;
pub(crate) mod table;

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

impl ImageSet {
    /// Reads an IDX file of images, and optionally the IDX file of their labels.
    ///
    /// Images are `[N, H, W]`, grey, or `[N, H, W, C]` with 1 or 3 channels. Elements of other types
    /// than bytes are read where each is an integer from 0 to 255, or a label. A file that begins
    /// as gzip does is decompressed; if only the other spelling of the name exists, with or without
    /// `.gz`, that file is read. The number of classes is one more than the largest label, or 0
    /// without labels.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] if a file is not there or unreadable.
    /// * [`DataError::IdxMagic`], [`DataError::IdxShape`], [`DataError::IdxAxes`],
    ///   [`DataError::Size`] if a file is not IDX, has other axes, is truncated, or is longer than
    ///   its header says.
    /// * [`DataError::IdxValue`] if an element is no pixel or no label.
    /// * [`DataError::LabelCount`] if labels and images differ in number.
    /// * [`DataError::Empty`] if there are no images.
    pub fn from_idx_files(
        images: impl AsRef<Path>,
        labels: Option<&Path>,
    ) -> Result<Self, DataError> {
        idx::read(images.as_ref(), labels, Prepare::default())
    }

    /// Reads all PNG, JPEG, WebP and BMP files of a folder, sorted by name.
    ///
    /// If pictures lie in sub-folders, each is a class: numbered as numbers if all names are plain
    /// numbers, else in the order of their names. Otherwise the set has no labels. What a file is,
    /// its first bytes say. Hidden files, and what systems leave behind (`Thumbs.db`, `@eaDir`,
    /// `__MACOSX`), are not looked at; [`Survey::of_folder`](crate::Survey::of_folder) counts
    /// pictures in formats that are not read. With one channel, colours become luminance (Rec. 601);
    /// transparent pixels are laid on white.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] if the folder or a file is unreadable.
    /// * [`DataError::Decode`], [`DataError::ImageSize`] for a damaged or odd-sized picture.
    /// * [`DataError::Channels`] if `channels` is neither 1 nor 3.
    /// * [`DataError::Mixed`] if there are pictures beside sub-folders of pictures.
    /// * [`DataError::EmptyClass`] if a sub-folder has no pictures, or has them deeper.
    /// * [`DataError::Empty`], [`DataError::Unread`] if there are no images that are read.
    pub fn from_folder(path: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        let path = path.as_ref();
        let options = folder::options(path, channels, false)?;
        folder::read(&Listing::of(path)?, options, Prepare::default())
    }

    /// Cuts a sprite sheet into `tile`×`tile` images, row by row, as many as its table lists.
    ///
    /// The table is CSV, separated by commas, semicolons or tabs; its first two columns are the
    /// image's number, counted from 0, and its label. It may have a heading.
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
        let (sheet, table) = (sheet.as_ref(), table.as_ref());
        sprite_sheet::read(sheet, table, tile, Prepare::default())
    }

    /// Takes over pictures, for example those of an `.npz` file; the set has no labels.
    pub fn from_pictures(pictures: &Uint8Images) -> Self {
        let [_, height, width, channels] = pictures.shape();
        Self {
            channels,
            height,
            width,
            pixels: Pixels::new(pictures.to_chw()),
            labels: None,
            classes: 0,
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
