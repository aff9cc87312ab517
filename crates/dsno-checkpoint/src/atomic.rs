//! Files that are either complete or absent.
//!
//! Everything that a later stage may read (weights, checkpoints, shards, reports) is written here:
//! to a temporary name in the same folder, synchronised, renamed, and the folder synchronised too.
//! A process killed at any moment leaves the old file or the new one, never half of either.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a file could not be put in place; the target is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The path has no file name, for example `/` or `..`.
    #[error("cannot write a file without a name: {}", path.display())]
    NoFileName {
        /// The offending path.
        path: PathBuf,
    },
    /// The operating system refused, for example because the disk is full.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
}

/// Replaces the file at `path` with `bytes`, completely or not at all.
///
/// # Errors
///
/// * [`WriteError::NoFileName`] if `path` does not end in a name.
/// * [`WriteError::Write`] if the folder does not exist, may not be written, or the disk is full;
///   the previous file, if any, is still there and no temporary file is left.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("clock.txt");
/// dsno_checkpoint::atomic::write_atomic(&path, b"4096 images")?;
/// assert_eq!(std::fs::read(&path)?, b"4096 images");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), WriteError> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// Replaces the file at `path` with what `fill` writes, completely or not at all.
///
/// The closure form is for files that are too large to hold in memory or that need seeking.
///
/// # Errors
///
/// As [`write_atomic`]; an error of `fill` becomes [`WriteError::Write`].
pub fn write_atomic_with(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    let mut file = AtomicFile::create(path)?;
    let filled = fill(&mut file.writer);
    filled.map_err(|source| file.failed(source))?;
    file.commit()
}

/// A file that is written little by little and takes its name once it is complete.
///
/// Dropped before [`commit`](Self::commit) it leaves nothing.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use dsno_checkpoint::atomic::AtomicFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("log");
/// let mut file = AtomicFile::create(&path)?;
/// file.write_all(b"one, ")?;
/// assert!(!path.exists());
/// file.write_all(b"two")?;
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"one, two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    writer: BufWriter<File>,
    temporary: Temporary,
}

impl AtomicFile {
    /// Begins a file that will be at `path`.
    ///
    /// # Errors
    ///
    /// As [`write_atomic`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref().to_path_buf();
        let Some(name) = path.file_name() else {
            return Err(WriteError::NoFileName { path });
        };
        let temporary = Temporary(path.with_file_name(temporary_name(name)));
        match File::create_new(&temporary.0) {
            Ok(file) => Ok(Self {
                path,
                writer: BufWriter::new(file),
                temporary,
            }),
            Err(source) => Err(WriteError::Write { path, source }),
        }
    }

    /// Makes the content durable and gives it its name.
    ///
    /// # Errors
    ///
    /// [`WriteError::Write`]; the previous file, if any, is then still there.
    pub fn commit(mut self) -> Result<(), WriteError> {
        let flushed = self.writer.flush();
        let put = flushed.and_then(|()| {
            self.writer.get_ref().sync_all()?;
            fs::rename(&self.temporary.0, &self.path)?;
            sync_folder(folder_of(&self.path))
        });
        put.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        let path = self.path.clone();
        WriteError::Write { path, source }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Deletes temporary files that a killed process left beside `path`, and counts them.
///
/// Call it only as the owner of `path`: a writer that is still at work would get an error.
///
/// # Errors
///
/// [`WriteError::Write`] if the folder cannot be listed or a leftover cannot be deleted.
pub fn remove_leftovers(path: impl AsRef<Path>) -> Result<usize, WriteError> {
    let path = path.as_ref();
    let Some(name) = path.file_name() else {
        return Err(WriteError::NoFileName {
            path: path.to_path_buf(),
        });
    };
    sweep(folder_of(path), &name.to_string_lossy()).map_err(|source| WriteError::Write {
        path: path.to_path_buf(),
        source,
    })
}

fn sweep(folder: &Path, name: &str) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let infix = found.strip_prefix('.').and_then(|f| f.strip_prefix(name));
        let infix = infix
            .and_then(|f| f.strip_prefix('.'))
            .and_then(|f| f.strip_suffix(".tmp"));
        let ours = infix.is_some_and(|i| i.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
        if ours {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Makes the rename itself durable; a folder cannot be opened for this on Windows.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `.NAME.PID-COUNT.tmp`: hidden, and different for every writer.
fn temporary_name(name: &std::ffi::OsStr) -> OsString {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let count = WRITES.fetch_add(1, Ordering::Relaxed);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{count}.tmp", std::process::id()));
    temporary
}

/// Deletes the temporary file when a write fails; after a rename there is nothing to delete.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        write_atomic(&path, b"old").unwrap();
        let failed = write_atomic_with(&path, |file| {
            file.write_all(b"half of the ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(failed.unwrap_err().to_string().contains("weights"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomic(folder.path().join("no/such"), b"x").unwrap_err();
        assert!(error.to_string().contains("no/such"));
        assert!(matches!(
            write_atomic("/", b""),
            Err(WriteError::NoFileName { .. })
        ));
    }

    #[test]
    fn leftovers_of_this_file_only_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.1-2.tmp", ".a.b.1-2.tmp", "a.tmp", "a"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        assert_eq!(remove_leftovers(folder.path().join("a")).unwrap(), 1);
        assert_eq!(names(folder.path()).len(), 3);
    }
}
