//! Data set specifications: one TOML file per set, with its source, licence, digests and range.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::image_set::gather::Prepare;
use crate::image_set::{folder, idx, sprite_sheet};
use crate::source;

mod check;
mod content;
mod survey;

/// A data set as a file of `datasets/` describes it.
///
/// Images are padded first and averaged second; their range is always `[-1, 1]`.
///
/// # Examples
///
/// ```
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
/// let spec = dsno_data::DatasetSpec::load(format!("{folder}/fashion-mnist.toml"))?;
/// let images = spec.open(folder)?;
/// assert_eq!((images.len(), images.height(), images.classes()), (10_000, 16, 10));
/// # Ok::<(), dsno_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// Name of the set, as experiments refer to it.
    pub name: String,
    /// Where the data come from: an address or a citation.
    pub source: String,
    /// Licence of the images and where its text is.
    pub licence: String,
    /// How to get the files if they are missing, as one sentence.
    pub obtain: String,
    /// True if mirroring an image left to right keeps it plausible.
    pub flip: bool,
    /// Colour channels of the images returned, 1 or 3.
    pub channels: usize,
    /// Number of classes; 0 drops the labels.
    pub classes: u32,
    /// Names of the classes, in order; empty if unknown. Class folders must have these names, or be
    /// numbered from 0.
    pub class_names: Vec<String>,
    /// Side to pad to with black, in pixels; left out if images keep their size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad_to: Option<usize>,
    /// Side to average down to, in pixels; left out if images keep their size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_to: Option<usize>,
    /// Whether pictures of a folder are turned upright as their EXIF data say; if left out they are
    /// read as they are stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exif_rotation: bool,
    /// How the files are laid out.
    pub format: Format,
    /// Files with known content; a set that the user provides may have none.
    pub files: Vec<FileSpec>,
}

/// Layout of the files of a set; paths are relative to the folder of the specifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Format {
    /// IDX files, plain or gzip.
    Idx {
        /// File with the images.
        images: PathBuf,
        /// File with the labels.
        labels: Option<PathBuf>,
    },
    /// PNG, JPEG, WebP and BMP files, one sub-folder per class.
    ImageFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A sprite sheet and a CSV table of labels.
    PngSheet {
        /// The sprite sheet.
        sheet: PathBuf,
        /// The table.
        table: PathBuf,
        /// Side of one image on the sheet, in pixels.
        tile: usize,
    },
}

/// A file whose content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Path relative to the folder of the specifications; `.gz` may be present or absent on disk.
    pub path: PathBuf,
    /// SHA-256 of the content, of a gzip file after decompression, so that it does not depend on
    /// who compressed the file.
    pub sha256: String,
    /// Length of the content in bytes, of a gzip file after decompression.
    pub bytes: u64,
}

impl DatasetSpec {
    /// Reads a specification.
    ///
    /// # Errors
    ///
    /// * [`DataError::Read`] if the file cannot be read.
    /// * [`DataError::Spec`] if it is not TOML, or a key is missing, unknown or of a wrong type.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| source::read_error(path, source))?;
        toml::from_str(&text).map_err(|error| DataError::Spec {
            path: path.to_path_buf(),
            source: Box::new(error),
        })
    }

    /// Returns the same set averaged to another size, for example the emoji at 32×32.
    pub fn averaged_to(self, side: usize) -> Self {
        Self {
            average_to: Some(side),
            ..self
        }
    }

    /// Lists the files and folders that are not there, without reading any: a matter of
    /// milliseconds, for a check before a long run.
    pub fn missing_files(&self, root: impl AsRef<Path>) -> Vec<PathBuf> {
        let root = root.as_ref();
        let paths = self.paths().into_iter().map(|path| root.join(path));
        paths.filter(|path| source::locate(path).is_err()).collect()
    }

    fn missing(&self, path: PathBuf) -> DataError {
        let (set, obtain) = (self.name.clone(), self.obtain.clone());
        DataError::MissingFile { set, path, obtain }
    }

    fn paths(&self) -> Vec<&Path> {
        let mut paths: Vec<&Path> = match &self.format {
            Format::Idx { images, labels } => std::iter::once(images.as_path())
                .chain(labels.as_deref())
                .collect(),
            Format::ImageFolder { path } => vec![path],
            Format::PngSheet { sheet, table, .. } => vec![sheet, table],
        };
        paths.extend(self.files.iter().map(|file| file.path.as_path()));
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Checks size and digest of every file with known content.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`] for the first file that is not there, saying how to get it.
    /// * [`DataError::Read`], [`DataError::Size`], [`DataError::Digest`] for a file that is
    ///   unreadable, truncated or another one.
    pub fn verify(&self, root: impl AsRef<Path>) -> Result<(), DataError> {
        let root = root.as_ref();
        if let Some(path) = self.missing_files(root).into_iter().next() {
            return Err(self.missing(path));
        }
        self.files.iter().try_for_each(|file| file.verify(root))
    }

    /// Verifies the files below `root`, reads them, pads and averages.
    ///
    /// Images are prepared one by one as they are read, so memory holds hardly more than the result.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify), of the reader of the format (see [`ImageSet`]) and of
    /// [`ImageSet::padded_to`] and [`ImageSet::averaged_to`]; [`DataError::Channels`],
    /// [`DataError::Label`] and those of [`survey`](Self::survey) if the images or classes are not
    /// as described.
    pub fn open(&self, root: impl AsRef<Path>) -> Result<ImageSet, DataError> {
        let root = root.as_ref();
        self.verify(root)?;
        let prepare = self.prepare();
        let images = match &self.format {
            Format::Idx { images, labels } => {
                self.check_names()?;
                self.check_labels(labels.is_some())?;
                let labels = labels.as_ref().map(|labels| root.join(labels));
                idx::read(&root.join(images), labels.as_deref(), prepare)?
            }
            Format::ImageFolder { path } => {
                let path = root.join(path);
                let options = folder::options(&path, self.channels, self.exif_rotation)?;
                folder::read(&self.listing(&path)?, options, prepare)?
            }
            Format::PngSheet { sheet, table, tile } => {
                self.check_names()?;
                sprite_sheet::read(&root.join(sheet), &root.join(table), *tile, prepare)?
            }
        };
        self.check_channels(images.channels())?;
        let labelled = images.with_classes(self.classes);
        labelled.map_err(|(index, label)| self.wrong_label(root, index, label))
    }

    fn prepare(&self) -> Prepare {
        Prepare {
            pad_to: self.pad_to,
            average_to: self.average_to,
        }
    }

    fn check_channels(&self, found: usize) -> Result<(), DataError> {
        if found == self.channels {
            return Ok(());
        }
        Err(DataError::Channels {
            set: self.name.clone(),
            asked: self.channels,
            found,
        })
    }

    fn wrong_label(&self, root: &Path, index: usize, label: u32) -> DataError {
        DataError::Label {
            path: root.join(self.label_path()),
            index,
            label,
            classes: self.classes,
        }
    }

    fn label_path(&self) -> &Path {
        match &self.format {
            Format::Idx { images, labels } => labels.as_ref().unwrap_or(images),
            Format::ImageFolder { path } => path,
            Format::PngSheet { table, .. } => table,
        }
    }
}

impl FileSpec {
    fn verify(&self, root: &Path) -> Result<(), DataError> {
        let path = source::locate(&root.join(&self.path))?;
        let (digest, found) = source::digest(&path, self.bytes.saturating_add(1))?;
        let expected = self.bytes;
        if found != expected {
            return Err(DataError::Size {
                path,
                found,
                expected,
            });
        }
        if digest != self.sha256 {
            return Err(DataError::Digest {
                path,
                found: digest,
                expected: self.sha256.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
