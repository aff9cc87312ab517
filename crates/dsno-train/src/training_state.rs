//! Everything a training needs to go on as if it had never stopped, in one file.
//!
//! The file is safetensors: `weights/NAME`, `average/NAME`, `first-moment/NAME` and
//! `second-moment/NAME` in f32, and a header with the images seen, the key of the run and a SHA-256
//! over all of it. It is written to a temporary name, synchronised and renamed; the one before it is
//! kept as `checkpoint.previous`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dsno_checkpoint::StateDict;
use dsno_checkpoint::atomic::{WriteError, write_atomic};

use crate::log::Interval;

mod format;

use format::Flaw;

/// File name of the newest state in its folder.
pub const NEWEST: &str = "checkpoint.safetensors";
/// Name of the one before.
pub const PREVIOUS: &str = "checkpoint.previous.safetensors";

/// Name of the last one of a training that has ended and could be made longer.
pub const FINISHED: &str = "finished.safetensors";

/// State of a training between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    /// Digest of all settings that shape the run.
    pub key: String,
    /// Images seen.
    pub images: u64,
    /// Metrics of the steps since the last line of the log.
    pub interval: Interval,
    /// Weights.
    pub weights: StateDict,
    /// Averaged weights.
    pub ema: StateDict,
    /// Running means of gradients.
    pub first_moment: StateDict,
    /// Running means of squared gradients.
    pub second_moment: StateDict,
}

/// Why a training state cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingStateError {
    /// The file cannot be read.
    #[error("cannot read the checkpoint {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is damaged.
    #[error(
        "the checkpoint {} is damaged ({reason}); delete it, and training {}",
        path.display(),
        if *has_previous { "goes on from the one before" } else { "starts anew" }
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// Whether the one before is there.
        has_previous: bool,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file is of an earlier version, which stored the optimiser otherwise.
    #[error(
        "the checkpoint {} is of an earlier version of this program; end the training with that version, or delete its checkpoints to start it anew",
        path.display()
    )]
    Earlier {
        /// The file.
        path: PathBuf,
    },
    /// The one before cannot be kept.
    #[error("cannot keep {}: {source}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl TrainingState {
    /// Writes the state into `folder`, keeping the one before it.
    ///
    /// # Errors
    ///
    /// [`TrainingStateError::Write`] or [`TrainingStateError::Keep`] if the disk is full or the folder
    /// may not be written; the previous state is then still valid.
    pub fn save(&self, folder: &Path) -> Result<(), TrainingStateError> {
        let bytes = self.to_bytes();
        let newest = folder.join(NEWEST);
        if newest.exists() {
            // A hard link, then a rename over both names: at no moment is there no valid file.
            let previous = folder.join(PREVIOUS);
            let keep = |source| TrainingStateError::Keep {
                path: newest.clone(),
                source,
            };
            let staged = folder.join(format!(".{PREVIOUS}.staged"));
            let _ = fs::remove_file(&staged);
            fs::hard_link(&newest, &staged)
                .or_else(|_| fs::copy(&newest, &staged).map(drop))
                .map_err(keep)?;
            fs::rename(&staged, &previous).map_err(keep)?;
        }
        Ok(write_atomic(newest, &bytes)?)
    }

    /// Reads the newest state of `folder`, or `None` if it has none.
    ///
    /// # Errors
    ///
    /// * [`TrainingStateError::Read`] if the file exists but cannot be read;
    /// * [`TrainingStateError::Damaged`] if it is not what was written;
    /// * [`TrainingStateError::Earlier`] if an earlier version wrote it.
    pub fn load(folder: &Path) -> Result<Option<Self>, TrainingStateError> {
        let path = [NEWEST, PREVIOUS]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|p| p.exists());
        path.map(|path| Self::read(folder, path)).transpose()
    }

    /// Reads the last state of a training that has ended, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_finished(folder: &Path) -> Result<Option<Self>, TrainingStateError> {
        let path = folder.join(FINISHED);
        let there = path.exists().then_some(path);
        there.map(|path| Self::read(folder, path)).transpose()
    }

    fn read(folder: &Path, path: PathBuf) -> Result<Self, TrainingStateError> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(TrainingStateError::Read { path, source }),
        };
        Self::from_bytes(&bytes).map_err(|flaw| match flaw {
            Flaw::Damaged(reason) => TrainingStateError::Damaged {
                has_previous: path.ends_with(NEWEST) && folder.join(PREVIOUS).exists(),
                path,
                reason,
            },
            Flaw::Earlier => TrainingStateError::Earlier { path },
        })
    }

    /// Writes the last state of a training that could be made longer.
    ///
    /// # Errors
    ///
    /// [`TrainingStateError::Write`] if the disk is full or the folder may not be written.
    pub fn save_finished(&self, folder: &Path) -> Result<(), TrainingStateError> {
        Ok(write_atomic(folder.join(FINISHED), &self.to_bytes())?)
    }

    /// Deletes the states of `folder`; for when the result itself is on disk.
    ///
    /// # Errors
    ///
    /// [`TrainingStateError::Keep`] if one cannot be deleted.
    pub fn remove(folder: &Path) -> Result<(), TrainingStateError> {
        for path in [NEWEST, PREVIOUS].map(|name| folder.join(name)) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(TrainingStateError::Keep { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
