//! Model folders: a network with what is needed to use it.
//!
//! `model.safetensors` holds the weights, `model.toml` all the rest, the weights' SHA-256 included.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dsno_checkpoint::atomic::{WriteError, write_atomic, write_atomic_with};
use dsno_checkpoint::digest::sha256_file;
use dsno_checkpoint::{Checkpoint, CheckpointFormat, Hashing, WeightError, Weights};
use dsno_operator::{ConfigError, Family, UNet};
use toml::Table;

use crate::DescriptionError;

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
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The network cannot be built.
    #[error(transparent)]
    Config(#[from] ConfigError),
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

/// Reads the table of a folder's card, which must be of this kind: family, digest of the weights, digest
/// of the run, and what describes the model.
pub(crate) fn read_card<D>(
    folder: &Path,
    kind: &str,
    describe: impl FnOnce(&str, Table) -> Result<D, DescriptionError>,
) -> Result<Card<D>, ModelError> {
    let path = folder.join(CARD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    let parse = || -> Result<Card<D>, String> {
        let table = text.parse::<Table>();
        let mut table = table.map_err(|error| error.to_string().trim().replace('\n', " "))?;
        let mut take = |key: &str| match table.remove(key) {
            Some(toml::Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(format!("`{key}` is {other}, expected text")),
            None => Ok(None),
        };
        let needed = |key: &str, value: Option<String>| value.ok_or(format!("no key `{key}`"));
        let found = needed("kind", take("kind")?)?;
        if found != kind {
            return Err(format!("kind is `{found}`, expected `{kind}`"));
        }
        // Our own family goes without saying.
        let family = take("family")?;
        let family = family.as_deref().unwrap_or(Family::OWN.name);
        Ok(Card {
            weights_sha256: needed("weights_sha256", take("weights_sha256")?)?,
            run: needed("run", take("run")?)?,
            description: describe(family, table).map_err(|error| error.to_string())?,
        })
    };
    parse().map_err(|reason| ModelError::Card { path, reason })
}

/// What `model.toml` says.
#[derive(Debug)]
pub(crate) struct Card<D> {
    pub(crate) description: D,
    pub(crate) weights_sha256: String,
    /// Digest of the run that made it; empty for imported models.
    pub(crate) run: String,
}

/// Reads the weights of a folder into a network.
pub(crate) fn load_weights(
    folder: &Path,
    network: UNet,
    expected: &str,
) -> Result<UNet, ModelError> {
    let path = folder.join(WEIGHTS);
    match sha256_file(&path) {
        Err(source) => return Err(ModelError::Read { path, source }),
        Ok(found) if found != expected => {
            return Err(ModelError::Digest {
                path,
                found,
                expected: expected.to_owned(),
            });
        }
        Ok(_) => {}
    }
    let file = Checkpoint::open(&path, CheckpointFormat::Safetensors);
    Ok(network.load(&file.map_err(WeightError::from)?)?)
}

/// Writes a folder: the weights, then the card that has their digest.
pub(crate) fn write(
    folder: &Path,
    weights: Weights<'_>,
    kind: &str,
    family: Family,
    run: &str,
    description: Table,
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
    let mut card = Table::from_iter([("kind".to_owned(), kind.into())]);
    if family != Family::OWN {
        card.insert("family".to_owned(), family.name.into());
    }
    card.insert("weights_sha256".to_owned(), digest.into());
    card.insert("run".to_owned(), run.into());
    card.extend(description);
    write_atomic(folder.join(CARD), card.to_string().as_bytes())?;
    Ok(())
}
