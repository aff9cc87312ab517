//! Reading trajectories.

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use zarrs::array::{ArrayError, ArrayShardedReadableExt, ArraySubset, CodecOptions};

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
            let read = match self.spec.dtype {
                Dtype::F32 => self
                    .read_sample::<f32>(index)
                    .map(|read| values.extend(read)),
                Dtype::F16 => self
                    .read_sample::<f16>(index)
                    .map(|read| values.extend(read.into_iter().map(f32::from))),
            };
            read.map_err(|error| self.unreadable(shard, error))?;
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
        indices
            .iter()
            .map(|&index| {
                let shard = self.done_shard_of(index)?;
                let subset = ArraySubset::new_with_ranges(&[index as u64..index as u64 + 1]);
                let label: Vec<i64> = self
                    .labels
                    .retrieve_array_subset(&subset)
                    .map_err(|error| self.unreadable(shard, error))?;
                let label = label.first().and_then(|&label| u32::try_from(label).ok());
                label.ok_or_else(|| self.corrupt(shard))
            })
            .collect()
    }

    fn read_sample<T: zarrs::array::ElementOwned>(
        &self,
        index: usize,
    ) -> Result<Vec<T>, ArrayError> {
        let options = CodecOptions::default();
        let at = [index as u64, 0, 0, 0, 0];
        self.states
            .retrieve_subchunk_opt(&self.shard_indices, &at, &options)
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
