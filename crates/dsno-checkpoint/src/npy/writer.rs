//! Arrays that are written as their elements come.

use std::path::{Path, PathBuf};

use super::{NpyError, stream};
use crate::atomic::{AtomicFile, WriteError};

/// An `.npy` file of 32-bit reals that is written part by part and is there once it is complete.
///
/// Memory stays flat however many elements there are.
///
/// # Examples
///
/// ```
/// use dsno_checkpoint::npy::{self, F32Writer};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("x.npy");
/// let mut writer = F32Writer::create(&path, &[2, 2])?;
/// writer.push(&[1.0, 2.0])?;
/// writer.push(&[3.0, 4.0])?;
/// writer.finish()?;
/// assert_eq!(npy::read_f32(&path)?, (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct F32Writer {
    file: AtomicFile,
    path: PathBuf,
    shape: Vec<usize>,
    written: usize,
}

impl F32Writer {
    /// Begins an array of this shape.
    ///
    /// # Errors
    ///
    /// [`NpyError::Write`] if nothing can be written there.
    pub fn create(path: impl AsRef<Path>, shape: &[usize]) -> Result<Self, NpyError> {
        let path = path.as_ref().to_path_buf();
        let mut writer = Self {
            file: AtomicFile::create(&path)?,
            path,
            shape: shape.to_vec(),
            written: 0,
        };
        let header = stream::write_header(&mut writer.file, "<f4", shape);
        header.map_err(|source| writer.failed(source))?;
        Ok(writer)
    }

    /// Adds elements in C order.
    ///
    /// # Errors
    ///
    /// [`NpyError::Write`], for example because the disk is full.
    pub fn push(&mut self, values: &[f32]) -> Result<(), NpyError> {
        let written = stream::write_values(&mut self.file, values);
        written.map_err(|source| self.failed(source))?;
        self.written += values.len();
        Ok(())
    }

    /// Puts the file in place.
    ///
    /// # Errors
    ///
    /// * [`NpyError::Shape`] if there are not as many elements as the shape says; nothing is left then.
    /// * [`NpyError::Write`] if the file could not be put in place.
    pub fn finish(self) -> Result<(), NpyError> {
        super::check_shape(&self.path, &self.shape, self.written)?;
        Ok(self.file.commit()?)
    }

    fn failed(&self, source: std::io::Error) -> NpyError {
        let path = self.path.clone();
        NpyError::Write(WriteError::Write { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_another_length_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut writer = F32Writer::create(&path, &[3]).unwrap();
        writer.push(&[1.0, 2.0]).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, NpyError::Shape { found: 2, .. }), "{error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
