//! Everything a training needs to go on as if it had never stopped, in one file.
//!
//! The file is safetensors: `weights/NAME` and `average/NAME` in f32, `optimiser` as bytes, and a
//! header with the images seen, the key of the run and a SHA-256 over all of it. It is written to a
//! temporary name, synchronised and renamed; the one before it is kept as `checkpoint.previous`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dsno_data::atomic::{WriteError, write_atomic};
use dsno_operator::weights::{HostTensor, NamedWeights};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, View};
use sha2::{Digest, Sha256};

use crate::log::Interval;

/// Name of the newest checkpoint in its folder.
pub const NEWEST: &str = "checkpoint.safetensors";
/// Name of the one before.
pub const PREVIOUS: &str = "checkpoint.previous.safetensors";

/// State of a training between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Digest of all settings that shape the run.
    pub key: String,
    /// Images seen.
    pub images: u64,
    /// What the metrics log has not been told yet.
    pub interval: Interval,
    /// Weights.
    pub weights: NamedWeights,
    /// Averaged weights.
    pub average: NamedWeights,
    /// State of the optimiser, as it serialises itself.
    pub optimiser: Vec<u8>,
}

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
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
        "the checkpoint {} is damaged ({reason}); delete it, and training goes on from {PREVIOUS} or from the start",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The optimiser's state cannot be serialised.
    #[error("cannot serialise the optimiser: {reason}")]
    Optimiser {
        /// burn's reason.
        reason: String,
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

impl Checkpoint {
    /// Writes the checkpoint into `folder`, keeping the one before it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Write`] or [`CheckpointError::Keep`] if the disk is full or the folder
    /// may not be written; the previous checkpoint is then still valid.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes();
        let newest = folder.join(NEWEST);
        if newest.exists() {
            // A hard link, then a rename over both names: at no moment is there no valid file.
            let previous = folder.join(PREVIOUS);
            let keep = |source| CheckpointError::Keep {
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

    /// Reads the newest checkpoint of `folder`, or `None` if it has none.
    ///
    /// # Errors
    ///
    /// * [`CheckpointError::Read`] if the file exists but cannot be read;
    /// * [`CheckpointError::Damaged`] if it is not what was written.
    pub fn load(folder: &Path) -> Result<Option<Self>, CheckpointError> {
        let path = [NEWEST, PREVIOUS]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|p| p.exists());
        let Some(path) = path else { return Ok(None) };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(CheckpointError::Read { path, source }),
        };
        Self::from_bytes(&bytes)
            .map(Some)
            .map_err(|reason| CheckpointError::Damaged { path, reason })
    }

    /// Deletes the checkpoints of `folder`; for when the result itself is on disk.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Keep`] if one cannot be deleted.
    pub fn remove(folder: &Path) -> Result<(), CheckpointError> {
        for path in [NEWEST, PREVIOUS].map(|name| folder.join(name)) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(CheckpointError::Keep { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for (prefix, weights) in [("weights", &self.weights), ("average", &self.average)] {
            for (name, tensor) in weights {
                entries.push((format!("{prefix}/{name}"), Entry::of(tensor)));
            }
        }
        let optimiser = Entry {
            dtype: Dtype::U8,
            shape: vec![self.optimiser.len()],
            bytes: self.optimiser.clone(),
        };
        entries.push(("optimiser".to_owned(), optimiser));
        let metadata = HashMap::from([
            ("images".to_owned(), self.images.to_string()),
            ("key".to_owned(), self.key.clone()),
            ("interval".to_owned(), self.interval_json()),
            ("digest".to_owned(), self.digest()),
        ]);
        safetensors::serialize(entries, Some(metadata)).expect("invariant: entries are consistent")
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let metadata = header
            .metadata()
            .as_ref()
            .ok_or("its header has no metadata")?;
        let text = |key: &str| metadata.get(key).ok_or(format!("its header lacks `{key}`"));
        let images = text("images")?
            .parse()
            .map_err(|e| format!("its `images`: {e}"))?;
        let mut found = Self {
            key: text("key")?.clone(),
            images,
            interval: serde_json::from_str(text("interval")?)
                .map_err(|e| format!("its `interval`: {e}"))?,
            weights: NamedWeights::new(),
            average: NamedWeights::new(),
            optimiser: file
                .tensor("optimiser")
                .map_err(|e| e.to_string())?
                .data()
                .to_vec(),
        };
        for (name, view) in file.tensors() {
            if let Some(name) = name.strip_prefix("weights/") {
                found.weights.insert(name.to_owned(), host(&view));
            } else if let Some(name) = name.strip_prefix("average/") {
                found.average.insert(name.to_owned(), host(&view));
            }
        }
        if text("digest")? == &found.digest() {
            Ok(found)
        } else {
            Err("its digest differs from its content".to_owned())
        }
    }

    fn interval_json(&self) -> String {
        serde_json::to_string(&self.interval).expect("invariant: an interval is plain numbers")
    }

    /// SHA-256 over everything the checkpoint holds.
    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.images.to_le_bytes());
        hasher.update(self.key.as_bytes());
        hasher.update(self.interval_json().as_bytes());
        for (name, tensor) in self.weights.iter().chain(&self.average) {
            hasher.update(name.as_bytes());
            for length in &tensor.shape {
                hasher.update((*length as u64).to_le_bytes());
            }
            for value in &tensor.values {
                hasher.update(value.to_le_bytes());
            }
        }
        hasher.update(&self.optimiser);
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn host(view: &TensorView<'_>) -> HostTensor {
    let (chunks, _) = view.data().as_chunks::<4>();
    let values = chunks
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    HostTensor {
        shape: view.shape().to_vec(),
        values,
    }
}

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Entry {
    fn of(tensor: &HostTensor) -> Self {
        let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            bytes,
        }
    }
}

impl View for Entry {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests;
