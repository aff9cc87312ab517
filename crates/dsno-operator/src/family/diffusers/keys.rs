//! Reads a JSON object key by key, so that what is left over is known.

use dsno_checkpoint::{FileKind, python_json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::DiffusersConfigError;
use super::notice::Notice;

/// Keys that say nothing about the network: the bookkeeping of a moving average, of a training, and of
/// programs that keep files.
const NOT_OF_THE_NETWORK: [&str; 27] = [
    "use_ema_warmup",
    "decay",
    "inv_gamma",
    "min_decay",
    "optimization_step",
    "power",
    "update_after_step",
    "foreach",
    "model_cls",
    "dtype",
    "torch_dtype",
    "architectures",
    "model_type",
    "transformers_version",
    "name_or_path",
    "gradient_checkpointing",
    "global_step",
    "step",
    "epoch",
    "seed",
    "name",
    "author",
    "license",
    "tags",
    "dataset",
    "description",
    "comment",
];

/// The keys of a file that were not read yet.
#[derive(Debug)]
pub(super) struct Keys {
    file: &'static str,
    map: Map<String, Value>,
}

impl Keys {
    pub(super) fn parse(file: &'static str, text: &str) -> Result<Self, DiffusersConfigError> {
        let map = serde_json::from_str(&python_json::strict(text));
        let map = map.map_err(|source| match FileKind::of_start(text.as_bytes()) {
            None | Some(FileKind::Json | FileKind::ShardIndex) => {
                DiffusersConfigError::Json { file, source }
            }
            Some(found) => DiffusersConfigError::Other { file, found },
        })?;
        Ok(Self { file, map })
    }

    /// The value of a key, or `default` where it is absent.
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        key: &str,
        default: T,
    ) -> Result<T, DiffusersConfigError> {
        let Some(value) = self.map.remove(key) else {
            return Ok(default);
        };
        let text = value.to_string();
        let parsed = serde_json::from_value(value);
        parsed.map_err(|error| self.unsupported(key, text, error.to_string()))
    }

    /// The value of a key that must be there.
    pub(super) fn needed<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
    ) -> Result<T, DiffusersConfigError> {
        if self.map.contains_key(key) {
            let value = self.take(key, None)?;
            return value.ok_or(self.missing(key));
        }
        Err(self.missing(key))
    }

    /// One of the strings that are supported, `default` where the key is absent.
    pub(super) fn only(
        &mut self,
        key: &str,
        default: &str,
        supported: &[&str],
    ) -> Result<String, DiffusersConfigError> {
        let found = self.take(key, Value::from(default))?;
        self.one_of(key, &found, supported)
    }

    /// One of the strings that are supported.
    pub(super) fn one_of(
        &self,
        key: &str,
        found: &Value,
        supported: &[&str],
    ) -> Result<String, DiffusersConfigError> {
        match found.as_str() {
            Some(word) if supported.contains(&word) => Ok(word.to_owned()),
            _ => Err(self.unsupported(key, found.to_string(), supported.join(" or "))),
        }
    }

    pub(super) fn missing(&self, key: &'static str) -> DiffusersConfigError {
        let file = self.file;
        DiffusersConfigError::Missing { file, key }
    }

    pub(super) fn unsupported(
        &self,
        key: &str,
        value: String,
        expected: String,
    ) -> DiffusersConfigError {
        DiffusersConfigError::Unsupported {
            file: self.file,
            key: key.to_owned(),
            value,
            expected,
        }
    }

    /// Refuses the first key that nobody asked for and that may shape the network; what is left alone.
    pub(super) fn finish(self) -> Result<Option<Notice>, DiffusersConfigError> {
        let mut left_alone = Vec::new();
        for (key, value) in &self.map {
            if key.starts_with('_') {
                continue;
            }
            if !value.is_null() && !NOT_OF_THE_NETWORK.contains(&key.as_str()) {
                let expected = "no such key".to_owned();
                return Err(self.unsupported(key, value.to_string(), expected));
            }
            left_alone.push(key.clone());
        }
        let file = self.file;
        let is_empty = left_alone.is_empty();
        let keys = left_alone;
        Ok((!is_empty).then_some(Notice::LeftAlone { file, keys }))
    }
}
