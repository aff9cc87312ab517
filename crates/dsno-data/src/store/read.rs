//! Reading trajectories.

use std::num::NonZeroU64;

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use zarrs::array::{ArrayError, ArrayShardedReadableExt, ArrayToBytesCodecTraits, CodecOptions};
use zarrs::storage::byte_range::ByteRange;

use super::{Dtype, StoreError, TrajectoryStore, ZarrError};

impl TrajectoryStore {
    /// Reads trajectories in any order, checking the checksum of each.
    ///
    /// # Shapes
    ///
    /// | value    | shape                           | range and unit          |
    /// |----------|---------------------------------|-------------------------|
    /// | returned | `[indices.len(), T, C, H, W]`   | as written, C order, f32|
    ///
    /// # Errors
    ///
    /// * [`StoreError::NoSample`] if an index is too large.
    /// * [`StoreError::Missing`] if a trajectory is in a shard that is not done.
    /// * [`StoreError::Corrupt`] if its bytes are damaged.
    pub fn read(&self, indices: &[usize]) -> Result<Vec<f32>, StoreError> {
        let mut values = Vec::with_capacity(indices.len() * self.spec.sample_len());
        for &index in indices {
            let shard = self.done_shard_of(index)?;
            let bytes = self
                .read_sample(index)
                .map_err(|error| self.unreadable(shard, error))?;
            match (bytes, self.spec.dtype) {
                (Some(bytes), Dtype::F32) => values.extend(decoded(&bytes, f32::from_le_bytes)),
                (Some(bytes), Dtype::F16) => {
                    values.extend(decoded(&bytes, f16::from_le_bytes).map(f32::from));
                }
                // A trajectory of zeros alone takes no room in a shard, but the shard is there.
                (None, _) if self.states_path(shard).exists() => {
                    values.resize(values.len() + self.spec.sample_len(), 0.0);
                }
                (None, _) => return Err(self.corrupt(shard)),
            }
        }
        Ok(values)
    }

    /// Reads trajectories as one batch `[B, T, C, H, W]`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn batch(&self, indices: &[usize], device: &Device) -> Result<Tensor<5>, StoreError> {
        let [c, h, w] = self.spec.shape;
        let shape = [indices.len(), self.spec.times.len(), c, h, w];
        Ok(Tensor::from_data(
            TensorData::new(self.read(indices)?, shape),
            device,
        ))
    }

    /// Reads the labels of trajectories; all 0 if the store has no classes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn labels(&self, indices: &[usize]) -> Result<Vec<u32>, StoreError> {
        // A shard's labels are one chunk, read whole so that its checksum is compared.
        let mut current: Option<(usize, Vec<i64>)> = None;
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let shard = self.done_shard_of(index)?;
            let (read, chunk) = match current.take() {
                Some(read) if read.0 == shard => read,
                _ => {
                    let chunk = self.labels.retrieve_chunk(&[shard as u64]);
                    (shard, chunk.map_err(|error| self.unreadable(shard, error))?)
                }
            };
            let label = chunk.get(index % self.spec.shard_samples).copied();
            let label = label.and_then(|label| u32::try_from(label).ok());
            labels.push(label.ok_or_else(|| self.corrupt(shard))?);
            current = Some((read, chunk));
        }
        Ok(labels)
    }

    /// Reads and decodes the bytes of one sample. zarrs does not compare checksums when it decodes
    /// a part of a shard, so the sample is fetched encoded and decoded whole.
    fn read_sample(&self, index: usize) -> Result<Option<Vec<u8>>, ArrayError> {
        let at = [index as u64, 0, 0, 0, 0];
        let cache = &self.shard_indices;
        // The index marks a sample that takes no room with an offset of all ones.
        match self.states.subchunk_byte_range(cache, &at)? {
            None | Some(ByteRange::FromStart(u64::MAX, _)) => return Ok(None),
            Some(_) => {}
        }
        let encoded = self.states.retrieve_encoded_subchunk(cache, &at)?;
        let [c, h, w] = self.spec.shape;
        let shape = [1, self.spec.times.len(), c, h, w];
        let shape: Vec<_> = shape
            .into_iter()
            .filter_map(|n| NonZeroU64::new(n as u64))
            .collect();
        let encoded = encoded.unwrap_or_default();
        let (data_type, fill) = (self.states.data_type(), self.states.fill_value());
        let options = CodecOptions::default();
        let decoded =
            self.sample_codec
                .decode(encoded.into(), &shape, data_type, fill, &options)?;
        Ok(Some(decoded.into_fixed()?.into_owned()))
    }

    fn done_shard_of(&self, index: usize) -> Result<usize, StoreError> {
        let samples = self.spec.samples;
        if index >= samples {
            return Err(StoreError::NoSample { index, samples });
        }
        let shard = index / self.spec.shard_samples;
        if self.is_done(shard) {
            Ok(shard)
        } else {
            Err(StoreError::Missing {
                path: self.path.clone(),
                shard,
            })
        }
    }

    /// A checksum that fails means a corrupt shard; a failing disk is another matter.
    pub(super) fn unreadable(&self, shard: usize, error: ArrayError) -> StoreError {
        match error {
            ArrayError::CodecError(zarrs::array::CodecError::IOError(_))
            | ArrayError::StorageError(_) => ZarrError::from(error).at(&self.path),
            _ => self.corrupt(shard),
        }
    }

    pub(super) fn corrupt(&self, shard: usize) -> StoreError {
        StoreError::Corrupt {
            shard,
            manifest: self.manifest_path(shard),
        }
    }
}

fn decoded<T, const N: usize>(
    bytes: &[u8],
    element: impl Fn([u8; N]) -> T,
) -> impl Iterator<Item = T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(move |&chunk| element(chunk))
}
