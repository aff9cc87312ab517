//! Model folders: a network with what is needed to use it.
//!
//! `model.safetensors` holds the weights, `model.toml` all the rest, the weights' SHA-256 included.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dsno_checkpoint::atomic::{WriteError, write_atomic, write_atomic_with};
use dsno_checkpoint::digest::sha256_file;
use dsno_checkpoint::{WeightError, read_safetensors};
use dsno_operator::foreign::ddpm::DdpmError;
use dsno_operator::foreign::edm::EdmError;
use dsno_operator::{UNet, UNetConfig, UNetConfigError};
use serde::Deserialize;

use dsno_checkpoint::{Hashing, Weights};

use crate::TeacherArchitectureError;

/// Name of the description in a model folder.
pub(crate) const CARD: &str = "model.toml";
/// Name of the weights in a model folder.
pub(crate) const WEIGHTS: &str = "model.safetensors";

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
        source: UNetConfigError,
    },
    /// The architecture is no teacher's.
    #[error(transparent)]
    Teacher(#[from] TeacherArchitectureError),
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The weights are not those of a network of diffusers or OpenAI.
    #[error(transparent)]
    Ddpm(#[from] Box<DdpmError>),
    /// The weights are not those of an EDM network.
    #[error(transparent)]
    Edm(#[from] Box<EdmError>),
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

pub(crate) fn read_card<C: for<'de> Deserialize<'de>>(folder: &Path) -> Result<C, ModelError> {
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

pub(crate) fn load_network(
    folder: &Path,
    architecture: &UNetConfig,
    expected: &str,
    device: &Device,
) -> Result<UNet, ModelError> {
    let path = folder.join(WEIGHTS);
    check_digest(&path, expected)?;
    let at = |source| ModelError::Architecture {
        path: folder.join(CARD),
        source,
    };
    let network = architecture.init(0, device).map_err(at)?;
    Ok(network.load_state_dict(read_safetensors(&path)?)?)
}

/// Compares a weight file with the digest that its description has.
pub(crate) fn check_digest(path: &Path, expected: &str) -> Result<(), ModelError> {
    let path = path.to_owned();
    match sha256_file(&path) {
        Err(source) => Err(ModelError::Read { path, source }),
        Ok(found) if found != expected => Err(ModelError::Digest {
            path,
            found,
            expected: expected.to_owned(),
        }),
        Ok(_) => Ok(()),
    }
}

/// Writes a folder: the weights, then the card that has their digest.
pub(crate) fn write(
    folder: &Path,
    weights: Weights<'_>,
    card: impl FnOnce(&str) -> Result<String, toml::ser::Error>,
) -> Result<(), ModelError> {
    fs::create_dir_all(folder).map_err(|source| ModelError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let mut digest = String::new();
    write_atomic_with(folder.join(WEIGHTS), |file| {
        let mut hashing = Hashing::new(file);
        weights.write(&mut hashing)?;
        digest = hashing.finish();
        Ok(())
    })?;
    let text = card(&digest).expect("invariant: cards are tables");
    write_atomic(folder.join(CARD), text.as_bytes())?;
    Ok(())
}
