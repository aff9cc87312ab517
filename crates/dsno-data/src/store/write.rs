//! Writing shards.

use std::path::Path;
use std::sync::Arc;

use half::f16;
use sha2::{Digest, Sha256};
use zarrs::array::{Array, ArrayShardedReadableExtCache, CodecOptions, IntoArrayBytes};
use zarrs::storage::ReadableStorageTraits;
use zarrs::storage::store::MemoryStore;

use super::{Dtype, StoreError, TrajectoryStore, ZarrError, layout, open};
use dsno_checkpoint::atomic;

impl TrajectoryStore {
    /// Writes one shard: afterwards it is done, or, after an error or a kill, still missing.
    ///
    /// A shard that is already done is replaced.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                              |
    /// |----------|-------------------|---------------------------------------------|
    /// | `states` | `[n, T, C, H, W]` | `n` = length of [`shard_range`](Self::shard_range); finite |
    /// | `labels` | `[n]`             | below the number of classes; empty if there are none |
    ///
    /// # Errors
    ///
    /// * [`StoreError::NoShard`], [`StoreError::Count`], [`StoreError::NonFinite`],
    ///   [`StoreError::Label`] if the arguments do not fit; nothing is written.
    /// * [`StoreError::Write`] if the disk is full or the folder is read-only.
    pub fn write_shard(
        &mut self,
        shard: usize,
        states: &[f32],
        labels: &[u32],
    ) -> Result<(), StoreError> {
        self.check(shard, states, labels)?;
        let (states, labels) = self
            .encode(shard, states, labels)
            .map_err(|error| error.at(&self.path))?;
        let mut digest = Sha256::new();
        digest.update(&states);
        digest.update(&labels);
        // From here on the shard is missing until the last line.
        self.discard_shard(shard)?;
        put(&self.labels_path(shard), &labels)?;
        put(&self.states_path(shard), &states)?;
        put(&self.manifest_path(shard), &digest.finalize())?;
        self.forget_cached_reads()
    }

    /// Takes a shard off the manifest, for example because it is corrupt: it is missing again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`] if the row exists but cannot be deleted.
    pub fn discard_shard(&mut self, shard: usize) -> Result<(), StoreError> {
        let path = self.manifest_path(shard);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(atomic::WriteError::Write { path, source }.into())
            }
            _ => Ok(()),
        }
    }

    fn check(&self, shard: usize, states: &[f32], labels: &[u32]) -> Result<(), StoreError> {
        let spec = &self.spec;
        if shard >= self.shards() {
            return Err(StoreError::NoShard {
                shard,
                shards: self.shards(),
            });
        }
        let range = self.shard_range(shard);
        let labelled = if spec.classes == 0 { 0 } else { range.len() };
        let counts = [
            ("values", states.len(), range.len() * spec.sample_len()),
            ("labels", labels.len(), labelled),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                return Err(StoreError::Count {
                    shard,
                    what,
                    found,
                    expected,
                });
            }
        }
        let holds = |value: f32| match spec.dtype {
            Dtype::F32 => value.is_finite(),
            Dtype::F16 => f16::from_f32(value).is_finite(),
        };
        if let Some(at) = states.iter().position(|&value| !holds(value)) {
            let dtype = if spec.dtype == Dtype::F32 {
                "f32"
            } else {
                "f16"
            };
            let sample = range.start + at / spec.sample_len();
            return Err(StoreError::NonFinite {
                sample,
                value: states[at],
                dtype,
            });
        }
        if let Some(at) = labels.iter().position(|&label| label >= spec.classes) {
            let (sample, label, classes) = (range.start + at, labels[at], spec.classes);
            return Err(StoreError::Label {
                sample,
                label,
                classes,
            });
        }
        Ok(())
    }

    /// Returns the bytes of the two files of a shard. The last shard is filled up with zeros,
    /// because all shards of a Zarr array have one shape.
    fn encode(
        &self,
        shard: usize,
        states: &[f32],
        labels: &[u32],
    ) -> Result<(Vec<u8>, Vec<u8>), ZarrError> {
        let spec = &self.spec;
        let memory = Arc::new(MemoryStore::new());
        let full = spec.shard_samples * spec.sample_len();
        let array = layout::states(spec, &memory)?;
        let at = [shard as u64, 0, 0, 0, 0];
        let states = match spec.dtype {
            Dtype::F32 => encode(&array, &at, filled(states.iter().copied(), full)),
            Dtype::F16 => encode(
                &array,
                &at,
                filled(states.iter().map(|&v| f16::from_f32(v)), full),
            ),
        }?;
        let array = layout::labels(spec, &memory)?;
        let labels = filled(
            labels.iter().map(|&label| i64::from(label)),
            spec.shard_samples,
        );
        Ok((states, encode(&array, &[shard as u64], labels)?))
    }

    /// Handles and indices of replaced files must not be used again.
    fn forget_cached_reads(&mut self) -> Result<(), StoreError> {
        let open::Opened { states, labels, .. } = open::open(&self.path)?;
        self.shard_indices = ArrayShardedReadableExtCache::new(&states);
        (self.states, self.labels) = (states, labels);
        Ok(())
    }
}

fn filled<T: Default>(values: impl Iterator<Item = T>, len: usize) -> Vec<T> {
    let mut filled = Vec::with_capacity(len);
    filled.extend(values);
    filled.resize_with(len, T::default);
    filled
}

/// Encodes one chunk through an array in memory: zarrs writes files in place, which is not atomic.
fn encode<'a>(
    array: &Array<MemoryStore>,
    at: &[u64],
    values: impl IntoArrayBytes<'a>,
) -> Result<Vec<u8>, ZarrError> {
    // Several threads would lay the samples of a shard in the order in which they finish.
    let options = CodecOptions::default()
        .with_store_empty_chunks(true)
        .with_concurrent_target(1);
    array.store_chunk_opt(at, values, &options)?;
    let bytes = array.storage().get(&array.chunk_key(at))?;
    Ok(bytes.map(Vec::from).unwrap_or_default())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    atomic::remove_leftovers(path)?;
    Ok(atomic::write_atomic(path, bytes)?)
}
