//! One writer at a time.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::StoreError;
use dsno_checkpoint::atomic::WriteError;

/// Held while a process fills a store; dropping it lets the next one in.
///
/// The lock is the system's, on the file `.lock` in the store's folder, so a killed process leaves
/// none behind. Reading needs no lock.
#[derive(Debug)]
pub struct StoreLock {
    /// `None` where the file system knows no locks.
    _file: Option<File>,
}

impl StoreLock {
    /// Takes the store at `path`, which need not be there yet; `None` while another writer has it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`] if the folder cannot be made or written.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_data::store::StoreLock;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let first = StoreLock::try_take(folder.path())?;
    /// assert!(first.is_some() && StoreLock::try_take(folder.path())?.is_none());
    /// drop(first);
    /// assert!(StoreLock::try_take(folder.path())?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_take(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        let path = path.as_ref().join(".lock");
        let failed = |source| WriteError::Write {
            path: path.clone(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                Ok(Some(Self { _file: None }))
            }
            Err(TryLockError::Error(error)) => Err(failed(error).into()),
        }
    }
}
