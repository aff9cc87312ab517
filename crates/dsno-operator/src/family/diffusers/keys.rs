//! Reads a JSON object key by key, so that what is left over is known.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::DiffusersConfigError;

/// The keys of a file that were not read yet.
#[derive(Debug)]
pub(super) struct Keys {
    file: &'static str,
    map: Map<String, Value>,
}

impl Keys {
    pub(super) fn parse(file: &'static str, text: &str) -> Result<Self, DiffusersConfigError> {
        let map = serde_json::from_str(text);
        let map = map.map_err(|source| DiffusersConfigError::Json { file, source })?;
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

    /// Refuses the first key that nobody asked for.
    pub(super) fn finish(self) -> Result<(), DiffusersConfigError> {
        match self.map.iter().find(|(key, _)| !key.starts_with('_')) {
            Some((key, value)) => {
                let expected = "no such key".to_owned();
                Err(self.unsupported(key, value.to_string(), expected))
            }
            None => Ok(()),
        }
    }
}
