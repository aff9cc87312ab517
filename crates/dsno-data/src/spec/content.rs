//! The content of a set as one digest.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dsno_checkpoint::digest::sha256_bytes;

use super::{DatasetSpec, Format};
use crate::error::DataError;
use crate::image_set::listing::Listing;
use crate::source;

impl DatasetSpec {
    /// Whether `files` has the digest of every file that is read, so that the specification says the
    /// content.
    pub fn content_is_known(&self) -> bool {
        let known = |path: &PathBuf| {
            let plain = |path: &Path| match path.extension() {
                Some(extension) if extension == "gz" => path.with_extension(""),
                _ => path.to_path_buf(),
            };
            let mut files = self.files.iter();
            files.any(|file| plain(&file.path) == plain(path))
        };
        match &self.format {
            Format::Idx { images, labels } => known(images) && labels.iter().all(known),
            Format::ImageFolder { .. } => false,
            Format::PngSheet { sheet, table, .. } => known(sheet) && known(table),
        }
    }

    /// The files that are read, in their order; of a folder, its pictures.
    ///
    /// # Errors
    ///
    /// [`DataError::MissingFile`] and, for a folder, those of
    /// [`ImageSet::from_folder`](crate::ImageSet::from_folder) that concern its files.
    pub fn data_files(&self, root: impl AsRef<Path>) -> Result<Vec<PathBuf>, DataError> {
        let files = self.labelled_files(root.as_ref())?;
        Ok(files.into_iter().map(|(file, _)| file).collect())
    }

    /// SHA-256 of all that is read: the content of the files, in order, and their labels. Names of
    /// pictures and files that are no pictures do not change it, nor does compression by gzip.
    ///
    /// Every file is read from beginning to end.
    ///
    /// # Errors
    ///
    /// Those of [`data_files`](Self::data_files), and [`DataError::Read`].
    pub fn content(&self, root: impl AsRef<Path>) -> Result<String, DataError> {
        let mut digests = String::new();
        for (file, label) in self.labelled_files(root.as_ref())? {
            let (digest, _) = source::digest(&file, u64::MAX)?;
            let _always_fits = writeln!(digests, "{label} {digest}");
        }
        Ok(sha256_bytes(digests.as_bytes()))
    }

    fn labelled_files(&self, root: &Path) -> Result<Vec<(PathBuf, u32)>, DataError> {
        let at = |path: &Path| Ok((source::locate(&root.join(path))?, 0));
        match &self.format {
            Format::Idx { images, labels } => std::iter::once(images)
                .chain(labels)
                .map(|path| at(path))
                .collect(),
            Format::ImageFolder { path } => Ok(Listing::of(&root.join(path))?.files),
            Format::PngSheet { sheet, table, .. } => {
                [sheet, table].map(|path| at(path)).into_iter().collect()
            }
        }
    }
}
