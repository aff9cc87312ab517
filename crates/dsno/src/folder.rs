//! Where everything of a run lies.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, While};

/// A run folder: `<out>/<name of the experiment>`.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of an experiment; nothing is created.
    pub(crate) fn new(out: &Path, name: &str) -> Self {
        Self(out.join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file or folder below it.
    pub(crate) fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }

    /// Creates the folder and takes it for this process alone.
    ///
    /// The lock is the system's, so a killed process leaves none behind.
    ///
    /// # Errors
    ///
    /// A failure at run time if the folder cannot be written or another process is at work in it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        fs::create_dir_all(&self.0).while_doing(format!("cannot create {}", self.0.display()))?;
        let path = self.join(".lock");
        let file = File::create(&path).while_doing(format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                sweep(&self.0);
                Ok(Lock { _file: file })
            }
            Err(fs::TryLockError::WouldBlock) => Err(Failure::run(format!(
                "another process is at work in {}; wait for it or give another `--out`",
                self.0.display()
            ))),
            Err(fs::TryLockError::Error(error)) => {
                Err(error).while_doing(format!("cannot lock {}", path.display()))
            }
        }
    }
}

/// Removes temporary files that a killed process left anywhere in a folder that is ours alone.
///
/// Failing to do so costs only their space, so errors are ignored.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&path);
        } else if name.starts_with('.')
            && path.extension().is_some_and(|extension| extension == "tmp")
        {
            let _gone = fs::remove_file(path);
        }
    }
}

/// Held while a process works in a run folder.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}
