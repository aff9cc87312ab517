//! Checking shards against the manifest.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{StoreError, TrajectoryStore};

impl TrajectoryStore {
    /// Reads every shard that is done and compares it with the manifest.
    ///
    /// # Errors
    ///
    /// * [`StoreError::Corrupt`] for the first shard whose files were changed, cut or deleted.
    /// * [`StoreError::Read`] if a file cannot be read.
    pub fn verify(&self) -> Result<(), StoreError> {
        (0..self.shards())
            .filter(|&shard| self.is_done(shard))
            .try_for_each(|shard| self.verify_shard(shard))
    }

    /// Checks one shard; see [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// * [`StoreError::Missing`] if the shard is not done.
    /// * [`StoreError::Corrupt`], [`StoreError::Read`] as for [`verify`](Self::verify).
    pub fn verify_shard(&self, shard: usize) -> Result<(), StoreError> {
        if !self.is_done(shard) {
            return Err(StoreError::Missing {
                path: self.path.clone(),
                shard,
            });
        }
        let read_error = |path: &Path, source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => self.corrupt(shard),
            _ => StoreError::Read {
                path: path.to_path_buf(),
                source,
            },
        };
        let mut digest = Sha256::new();
        for path in [self.states_path(shard), self.labels_path(shard)] {
            let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut digest));
            copied.map_err(|source| read_error(&path, source))?;
        }
        let manifest = self.manifest_path(shard);
        let expected = fs::read(&manifest).map_err(|source| read_error(&manifest, source))?;
        if digest.finalize().as_slice() == expected {
            Ok(())
        } else {
            Err(self.corrupt(shard))
        }
    }
}
