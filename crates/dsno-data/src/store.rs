//! Trajectories on disk: a Zarr v3 group that Python's zarr and xarray open as it is.
//!
//! ```text
//! NAME/zarr.json                      group; attributes: layout and provenance
//! NAME/states/c.S.0.0.0.0             [N, T, C, H, W] f32 or f16; a shard is one file, a sample
//!                                     is one inner chunk with its own crc32c
//! NAME/labels/c.S                     [N] i64
//! NAME/times/c.0, NAME/log_snr/c.0    [T] f64
//! NAME/sha256/c.S.0                   [shards, 32] u8: the manifest
//! ```
//!
//! A shard is done when its row of the manifest is there. The row holds the SHA-256 of the two
//! files before it and is written last; every file is written to a temporary name, synchronised
//! and renamed. So a killed writer leaves a shard valid or absent, and running it again fills the
//! gaps. Shards are independent: several writers may fill one store if no two own the same shard;
//! writers that have not agreed on that take turns through a [`StoreLock`].

use std::ops::Range;
use std::path::{Path, PathBuf};

use zarrs::array::{ArrayShardedReadableExtCache, CodecChain};
use zarrs::filesystem::FilesystemStore;

mod error;
mod layout;
mod lock;
mod open;
mod read;
mod spec;
mod verify;
mod write;

pub use error::{StoreError, ZarrError};
pub use lock::StoreLock;
pub use spec::{Dtype, Provenance, StoreSpec};

type FileArray = zarrs::array::Array<FilesystemStore>;

/// A store of trajectories, open for reading and for writing missing shards.
///
/// Memory does not grow with the number of samples: a write holds one shard, a read what it
/// returns.
///
/// # Examples
///
/// ```
/// use burn::tensor::Device;
/// use dsno_data::store::{Dtype, Provenance, StoreSpec, TrajectoryStore};
///
/// let folder = tempfile::tempdir()?;
/// let spec = StoreSpec {
///     samples: 3,
///     times: vec![1.0, 0.25, 0.0],
///     log_snr: vec![-20.0, 3.0, 20.0],
///     shape: [1, 2, 2],
///     shard_samples: 2,
///     dtype: Dtype::F32,
///     zstd: false,
///     classes: 0,
///     provenance: Provenance::new(7, "ddim", 8),
/// };
/// let mut store = TrajectoryStore::create(folder.path().join("toy"), &spec)?;
/// for shard in store.missing_shards() {
///     let samples = store.shard_range(shard).len();
///     store.write_shard(shard, &vec![0.5; samples * 12], &[])?;
/// }
/// assert!(store.is_complete());
/// assert_eq!(store.batch(&[2, 0], &Device::flex())?.dims(), [2, 3, 1, 2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TrajectoryStore {
    path: PathBuf,
    spec: StoreSpec,
    states: FileArray,
    labels: FileArray,
    /// Indices of the shards read so far, so that each is read once.
    shard_indices: ArrayShardedReadableExtCache,
    sample_codec: CodecChain,
}

impl std::fmt::Debug for TrajectoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("TrajectoryStore");
        shown
            .field("path", &self.path)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl TrajectoryStore {
    /// Makes a store at `path`, or opens the one there if it was made from the same `spec`.
    ///
    /// How many trajectories were solved at once (`batch_size` in the provenance) may differ: it
    /// moves the last bits of a trajectory at most. Descriptions of arrays that were damaged or lost
    /// are written again.
    ///
    /// # Errors
    ///
    /// * [`StoreError::Spec`] if `spec` is impossible; nothing is written.
    /// * [`StoreError::NoZstd`] if it asks for compression that was not compiled in.
    /// * [`StoreError::OtherSpec`] if there is a store made from another `spec`.
    /// * [`StoreError::Write`] if the folder cannot be written.
    pub fn create(path: impl AsRef<Path>, spec: &StoreSpec) -> Result<Self, StoreError> {
        let path = path.as_ref();
        spec.validate()?;
        if !path.join("zarr.json").exists() {
            layout::create(path, spec)?;
        }
        let store = match Self::open(path) {
            Err(error @ (StoreError::Array { .. } | StoreError::Zarr { .. })) => {
                let Some(found) = open::spec(path) else {
                    return Err(error);
                };
                spec.check_same(&found, path)?;
                layout::write_metadata(path, &found)?;
                Self::open(path)?
            }
            other => other?,
        };
        spec.check_same(&store.spec, path)?;
        Ok(store)
    }

    /// Opens a store and checks that its arrays are those its attributes describe.
    ///
    /// # Errors
    ///
    /// * [`StoreError::NotAStore`] if there is no store at `path`.
    /// * [`StoreError::Attributes`] if the attributes cannot be read.
    /// * [`StoreError::Spec`], [`StoreError::Array`], [`StoreError::Zarr`] if attributes and
    ///   arrays are damaged or disagree.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        let open::Opened {
            spec,
            states,
            labels,
            sample_codec,
        } = open::open(&path)?;
        let shard_indices = ArrayShardedReadableExtCache::new(&states);
        Ok(Self {
            path,
            spec,
            states,
            labels,
            shard_indices,
            sample_codec,
        })
    }

    /// Folder of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the store holds and where it comes from.
    pub fn spec(&self) -> &StoreSpec {
        &self.spec
    }

    /// Number of samples when complete.
    pub fn len(&self) -> usize {
        self.spec.samples
    }

    /// Always false: a store has at least one sample.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Number of shards when complete.
    pub fn shards(&self) -> usize {
        self.spec.shards()
    }

    /// Samples of a shard; the last shard may be shorter than the others.
    pub fn shard_range(&self, shard: usize) -> Range<usize> {
        let start = shard
            .saturating_mul(self.spec.shard_samples)
            .min(self.spec.samples);
        start..(start + self.spec.shard_samples).min(self.spec.samples)
    }

    /// True if the manifest has this shard.
    pub fn is_done(&self, shard: usize) -> bool {
        self.manifest_path(shard).exists()
    }

    /// Shards still to be written, in order.
    pub fn missing_shards(&self) -> Vec<usize> {
        (0..self.shards())
            .filter(|&shard| !self.is_done(shard))
            .collect()
    }

    /// Shards in the manifest, in order.
    pub fn done_shards(&self) -> Vec<usize> {
        (0..self.shards())
            .filter(|&shard| self.is_done(shard))
            .collect()
    }

    /// True if no shard is missing.
    pub fn is_complete(&self) -> bool {
        (0..self.shards()).all(|shard| self.is_done(shard))
    }

    fn states_path(&self, shard: usize) -> PathBuf {
        self.path.join(format!("states/c.{shard}.0.0.0.0"))
    }

    fn labels_path(&self, shard: usize) -> PathBuf {
        self.path.join(format!("labels/c.{shard}"))
    }

    fn manifest_path(&self, shard: usize) -> PathBuf {
        self.path.join(format!("sha256/c.{shard}.0"))
    }
}

#[cfg(test)]
mod tests;
