//! Weights in several files, and the index that says which tensor lies in which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Checkpoint, CheckpointError, CheckpointFormat, FileKind, python_json};

/// The index of a checkpoint in several files, `NAME.safetensors.index.json` or `NAME.bin.index.json`.
///
/// ```
/// use dsno_checkpoint::{Checkpoint, HostTensor, ShardIndex, StateDict, to_safetensors};
///
/// let folder = tempfile::tempdir()?;
/// let tensor = HostTensor { shape: vec![1], values: vec![0.5] };
/// for name in ["a", "b"] {
///     let part = StateDict::from([(name.to_owned(), tensor.clone())]);
///     std::fs::write(folder.path().join(format!("{name}.safetensors")), to_safetensors(&part))?;
/// }
/// let index = folder.path().join("model.safetensors.index.json");
/// std::fs::write(&index, r#"{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}"#)?;
///
/// let whole = Checkpoint::open_shards(&ShardIndex::read(&index)?)?;
/// assert_eq!(whole.names().collect::<Vec<_>>(), ["a", "b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ShardIndex {
    path: PathBuf,
    /// File name by tensor.
    weight_map: BTreeMap<String, String>,
}

/// The part of the file that is read.
#[derive(Deserialize)]
struct IndexFile {
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads an index.
    ///
    /// # Errors
    ///
    /// * [`CheckpointError::Read`] if the system cannot read it;
    /// * [`CheckpointError::Index`] if it has no `weight_map` of file names beside it.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let wrong = |reason: String| CheckpointError::Index {
            path: path.to_owned(),
            reason,
        };
        let text = fs::read_to_string(path).map_err(|source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed = serde_json::from_str(&python_json::strict(&text));
        let IndexFile { weight_map } =
            parsed.map_err(|error| match FileKind::of_start(text.as_bytes()) {
                Some(FileKind::ShardIndex | FileKind::Json) | None => wrong(error.to_string()),
                Some(other) => CheckpointError::Other {
                    path: path.to_owned(),
                    found: other,
                },
            })?;
        if weight_map.is_empty() {
            return Err(wrong("its `weight_map` is empty".to_owned()));
        }
        let outside = |file: &&String| Path::new(file).file_name() != Some(file.as_ref());
        if let Some(file) = weight_map.values().find(outside) {
            let reason = format!("it names {file:?}, expected the name of a file beside it");
            return Err(wrong(reason));
        }
        Ok(Self {
            path: path.to_owned(),
            weight_map,
        })
    }

    /// The index itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold the tensors, in the order of their names.
    pub fn files(&self) -> Vec<PathBuf> {
        let names: BTreeSet<&String> = self.weight_map.values().collect();
        let beside = names.into_iter().map(|name| self.path.with_file_name(name));
        beside.collect()
    }
}

impl Checkpoint {
    /// Indexes all files of a checkpoint that lies in several; no values are read yet.
    ///
    /// # Errors
    ///
    /// * those of [`Checkpoint::open`], for any of the files;
    /// * [`CheckpointError::Index`] if the files do not hold what the index says.
    pub fn open_shards(index: &ShardIndex) -> Result<Self, CheckpointError> {
        let wrong = |reason: String| CheckpointError::Index {
            path: index.path.clone(),
            reason,
        };
        let mut tensors = BTreeMap::new();
        for path in index.files() {
            let usual = if path.extension().is_some_and(|e| e == "safetensors") {
                CheckpointFormat::Safetensors
            } else {
                CheckpointFormat::Torch
            };
            let format = CheckpointFormat::of_file(&path).unwrap_or(usual);
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            for (name, tensor) in Self::open(&path, format)?.tensors {
                match index.weight_map.get(&name) {
                    Some(expected) if *expected == file => {
                        tensors.insert(name, tensor);
                    }
                    Some(expected) => {
                        let reason =
                            format!("tensor `{name}` lies in {file}, expected in {expected}");
                        return Err(wrong(reason));
                    }
                    None => {
                        return Err(wrong(format!("it does not list tensor `{name}` of {file}")));
                    }
                }
            }
        }
        let mut listed = index.weight_map.iter();
        if let Some((name, file)) = listed.find(|(name, _)| !tensors.contains_key(*name)) {
            return Err(wrong(format!("{file} has no tensor `{name}`")));
        }
        Ok(Self {
            path: index.path.as_path().into(),
            tensors,
            prefix: String::new(),
        })
    }
}
