//! What can go wrong with a store.

use std::io;
use std::path::PathBuf;

use zarrs::array::{ArrayCreateError, ArrayError};
use zarrs::filesystem::FilesystemStoreCreateError;
use zarrs::group::GroupCreateError;
use zarrs::storage::StorageError;

use dsno_checkpoint::atomic::WriteError;

/// Why a store could not be made, opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The specification is impossible.
    #[error("impossible trajectory store: `{field}` {problem}")]
    Spec {
        /// Offending field of [`StoreSpec`](super::StoreSpec).
        field: &'static str,
        /// What the field must be.
        problem: &'static str,
    },
    /// Compression was asked for but not compiled in.
    #[error("the store is compressed with zstd: build with the feature `zstd` of dsno-data")]
    NoZstd,
    /// There is no store at the path.
    #[error("no trajectory store at {}: it has no zarr.json", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// The attributes of the group are not those of a trajectory store.
    #[error("{} is not a trajectory store this program reads: {source}", path.display())]
    Attributes {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// There is another store at the path already.
    #[error(
        "{} holds other trajectories: their {field} is {found}, expected {expected}; \
         choose another folder", path.display()
    )]
    OtherSpec {
        /// The folder.
        path: PathBuf,
        /// First field that differs.
        field: String,
        /// Value in the store, as JSON.
        found: String,
        /// Value asked for, as JSON.
        expected: String,
    },
    /// An array is not the one that the attributes describe.
    #[error("array `{array}` of {} is not the one its attributes describe", path.display())]
    Array {
        /// The folder.
        path: PathBuf,
        /// Name of the array.
        array: &'static str,
    },
    /// The number of values is not that of the shard.
    #[error("shard {shard} takes {expected} {what}, got {found}")]
    Count {
        /// The shard.
        shard: usize,
        /// States or labels.
        what: &'static str,
        /// Number given.
        found: usize,
        /// Number expected.
        expected: usize,
    },
    /// A state is infinite or not a number, or too large for 16 bits.
    #[error("sample {sample} has a value that {dtype} cannot hold: {value}")]
    NonFinite {
        /// The sample.
        sample: usize,
        /// The value.
        value: f32,
        /// Precision of the store.
        dtype: &'static str,
    },
    /// A label is not a class.
    #[error("label {label} of sample {sample} is not below {classes}")]
    Label {
        /// The sample.
        sample: usize,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: u32,
    },
    /// There is no such shard.
    #[error("shard {shard} asked for, the store has {shards}")]
    NoShard {
        /// The shard.
        shard: usize,
        /// Number of shards.
        shards: usize,
    },
    /// There is no such sample.
    #[error("trajectory {index} asked for, the store has {samples}")]
    NoSample {
        /// The sample.
        index: usize,
        /// Number of samples.
        samples: usize,
    },
    /// The shard has not been written yet.
    #[error(
        "shard {shard} of {} is missing; the command that made the store collects it when it is \
         run again", path.display()
    )]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The shard.
        shard: usize,
    },
    /// A shard's bytes are not those that were written.
    #[error(
        "shard {shard} of the trajectory store is damaged: delete {}, and the command that made \
         the store collects the shard when it is run again", manifest.display()
    )]
    Corrupt {
        /// The shard.
        shard: usize,
        /// Its row of the manifest; without it the shard counts as missing.
        manifest: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A file could not be put in place.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The Zarr library refused.
    #[error("trajectory store {}: {source}", path.display())]
    Zarr {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: Box<ZarrError>,
    },
}

/// An error of the Zarr library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZarrError {
    /// An array could not be made or opened.
    #[error(transparent)]
    ArrayCreate(#[from] ArrayCreateError),
    /// An array could not be read or written.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A group could not be made or opened.
    #[error(transparent)]
    Group(#[from] GroupCreateError),
    /// Bytes could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The folder cannot be a store.
    #[error(transparent)]
    Filesystem(#[from] FilesystemStoreCreateError),
    /// The compressor refused its settings.
    #[error("cannot set up a codec: {0}")]
    Codec(#[from] zarrs::plugin::PluginCreateError),
}

impl ZarrError {
    /// Adds the folder.
    pub(super) fn at(self, path: &std::path::Path) -> StoreError {
        StoreError::Zarr {
            path: path.to_path_buf(),
            source: Box::new(self),
        }
    }
}
