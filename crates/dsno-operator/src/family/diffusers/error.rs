use std::io;
use std::path::PathBuf;

use dsno_checkpoint::FileKind;
use dsno_ode::ScheduleError;

use crate::config_error::ConfigError;

/// Why the files of a diffusers model do not give an architecture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusersConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no JSON object.
    #[error("{file} is no JSON object: {source}")]
    Json {
        /// The file's usual name.
        file: &'static str,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A file is another kind of file, often found in its place.
    #[error("{file} is {found}")]
    Other {
        /// The file's usual name.
        file: &'static str,
        /// What it is.
        found: FileKind,
    },
    /// The size of the images is not said.
    #[error("config.json does not say the size of the images (`sample_size` is {found})")]
    NoSampleSize {
        /// What stands there.
        found: &'static str,
    },
    /// A key is missing that has no sensible default.
    #[error("{file} has no key `{key}`")]
    Missing {
        /// The file's usual name.
        file: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A key has a value with which the network cannot be built here.
    #[error("{file} has `{key}` = {value}, which is not supported; expected {expected}")]
    Unsupported {
        /// The file's usual name.
        file: &'static str,
        /// The key.
        key: String,
        /// Its value, as JSON.
        value: String,
        /// What would be.
        expected: String,
    },
    /// The values are understood, and no network has them.
    #[error(transparent)]
    Architecture(#[from] ConfigError),
    /// The values are understood, and no table has them.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}
