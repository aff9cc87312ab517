//! Model folders: a network with what is needed to use it.
//!
//! `model.safetensors` holds the weights, `model.toml` all the rest, the weights' SHA-256 included.

mod student;
mod teacher;

pub use student::Student;
pub use teacher::Teacher;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dsno_data::atomic::{WriteError, write_atomic};
use dsno_data::digest::sha256_bytes;
use dsno_operator::weights::{WeightError, read_safetensors, to_safetensors};
use dsno_operator::{Architecture, ArchitectureError, UNet};
use serde::{Deserialize, Serialize};

/// Name of the description in a model folder.
const CARD: &str = "model.toml";
/// Name of the weights in a model folder.
const WEIGHTS: &str = "model.safetensors";

/// Why a model folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The description does not parse.
    #[error("{} describes no such model: {reason}", path.display())]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        reason: String,
    },
    /// The weights are not the ones that belong to the description.
    #[error("{} has SHA-256 {found}, but its {CARD} says {expected}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Digest found.
        found: String,
        /// Digest expected.
        expected: String,
    },
    /// The architecture cannot be built.
    #[error("{}: {source}", path.display())]
    Architecture {
        /// The description.
        path: PathBuf,
        /// What is wrong.
        source: ArchitectureError,
    },
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A file or folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder cannot be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn read_card<C: for<'de> Deserialize<'de>>(folder: &Path) -> Result<C, ModelError> {
    let path = folder.join(CARD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    toml::from_str(&text).map_err(|error| ModelError::Card {
        path,
        reason: error.to_string().trim().replace('\n', " "),
    })
}

fn load_network(
    folder: &Path,
    architecture: &Architecture,
    expected: &str,
    device: &Device,
) -> Result<UNet, ModelError> {
    let path = folder.join(WEIGHTS);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    let found = sha256_bytes(&bytes);
    drop(bytes);
    if found != expected {
        return Err(ModelError::Digest {
            path,
            found,
            expected: expected.to_owned(),
        });
    }
    let at = |source| ModelError::Architecture {
        path: folder.join(CARD),
        source,
    };
    let network = architecture.init(0, device).map_err(at)?;
    Ok(network.with_weights(read_safetensors(&path)?)?)
}

fn save<C: Serialize>(
    folder: &Path,
    network: &UNet,
    card: impl FnOnce(String) -> C,
) -> Result<(), ModelError> {
    fs::create_dir_all(folder).map_err(|source| ModelError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let bytes = to_safetensors(&network.named_weights());
    let text = toml::to_string(&card(sha256_bytes(&bytes)));
    write_atomic(folder.join(WEIGHTS), &bytes)?;
    write_atomic(
        folder.join(CARD),
        text.expect("invariant: cards are tables").as_bytes(),
    )?;
    Ok(())
}
