//! A training state as bytes.

use std::collections::HashMap;

use dsno_checkpoint::digest::to_hex;
use dsno_checkpoint::{HostTensor, StateDict};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use super::TrainingState;

/// Why bytes are not a training state.
#[derive(Debug)]
pub(super) enum Flaw {
    Damaged(String),
    Earlier,
}

impl<S: Into<String>> From<S> for Flaw {
    fn from(reason: S) -> Self {
        Self::Damaged(reason.into())
    }
}

/// What only earlier versions stored: their optimiser's own record.
const EARLIER: &str = "optimiser";

impl TrainingState {
    /// The four state dicts, each with the prefix of its tensors' names in the file.
    fn parts(&self) -> [(&'static str, &StateDict); 4] {
        [
            ("weights", &self.weights),
            ("average", &self.ema),
            ("first-moment", &self.first_moment),
            ("second-moment", &self.second_moment),
        ]
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let entries = self.parts().into_iter().flat_map(|(part, tensors)| {
            tensors
                .iter()
                .map(move |(name, tensor)| (format!("{part}/{name}"), tensor))
        });
        let metadata = HashMap::from([
            ("images".to_owned(), self.images.to_string()),
            ("key".to_owned(), self.key.clone()),
            ("interval".to_owned(), self.interval_json()),
            ("digest".to_owned(), self.digest()),
        ]);
        safetensors::serialize(entries, Some(metadata)).expect("invariant: entries are consistent")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Flaw> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        if file.tensor(EARLIER).is_ok() {
            return Err(Flaw::Earlier);
        }
        let metadata = header
            .metadata()
            .as_ref()
            .ok_or("its header has no metadata")?;
        let text = |key: &str| metadata.get(key).ok_or(format!("its header lacks `{key}`"));
        let images = text("images")?
            .parse()
            .map_err(|e| format!("its `images`: {e}"))?;
        let part = |part: &str| -> StateDict {
            let tensors = file.iter().filter_map(|(name, view)| {
                let name = name.strip_prefix(part)?.strip_prefix('/')?;
                let (chunks, _) = view.data().as_chunks::<4>();
                let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes));
                let (shape, values) = (view.shape().to_vec(), values.collect());
                Some((name.to_owned(), HostTensor { shape, values }))
            });
            tensors.collect()
        };
        let found = Self {
            key: text("key")?.clone(),
            images,
            interval: serde_json::from_str(text("interval")?)
                .map_err(|e| format!("its `interval`: {e}"))?,
            weights: part("weights"),
            ema: part("average"),
            first_moment: part("first-moment"),
            second_moment: part("second-moment"),
        };
        if text("digest")? == &found.digest() {
            Ok(found)
        } else {
            Err("its digest differs from its content".into())
        }
    }

    fn interval_json(&self) -> String {
        serde_json::to_string(&self.interval).expect("invariant: an interval is plain numbers")
    }

    /// SHA-256 over everything the state holds.
    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.images.to_le_bytes());
        hasher.update(self.key.as_bytes());
        hasher.update(self.interval_json().as_bytes());
        for (part, tensors) in self.parts() {
            hasher.update(part.as_bytes());
            for (name, tensor) in tensors {
                hasher.update(name.as_bytes());
                for length in &tensor.shape {
                    hasher.update((*length as u64).to_le_bytes());
                }
                for value in &tensor.values {
                    hasher.update(value.to_le_bytes());
                }
            }
        }
        to_hex(&hasher.finalize())
    }
}
