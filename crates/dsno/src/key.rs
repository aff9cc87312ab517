//! What outputs are a function of, as one digest.

use dsno_checkpoint::digest::{sha256_bytes, sha256_file};
use dsno_train::run_key::{COSMETIC, LENGTH, remove};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Raised when outputs of an earlier version of the program can no longer be used.
const FORMAT: u32 = 1;

/// What a stage's outputs are a function of, as two digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    /// Of all settings, as in every version so far.
    #[serde(rename = "key")]
    exact: String,
    /// Of the settings that shape the outputs; stage files of earlier versions lack it.
    #[serde(default)]
    essence: Option<String>,
}

impl Key {
    /// The key of a stage: of its name, its settings, and the keys of its inputs. How often a training
    /// logs or saves its state is not in its essence.
    pub(crate) fn of(stage: &str, settings: &impl Serialize, inputs: &[&Self]) -> Self {
        Self::apart_from(COSMETIC, stage, settings, inputs)
    }

    /// The key of a stage, some keys of whose settings shape nothing.
    pub(crate) fn apart_from(
        cosmetic: &[&str],
        stage: &str,
        settings: &impl Serialize,
        inputs: &[&Self],
    ) -> Self {
        let mut settings = json!(settings);
        let exact: Vec<_> = inputs.iter().map(|key| key.exact.as_str()).collect();
        let exact = digest_of(stage, &settings, &exact);
        remove(&mut settings, cosmetic);
        let essence: Vec<_> = inputs.iter().map(|key| key.as_str()).collect();
        let essence = Some(digest_of(stage, &settings, &essence));
        Self { exact, essence }
    }

    /// The digest of what shapes the outputs, in hexadecimal.
    pub(crate) fn as_str(&self) -> &str {
        self.essence.as_ref().unwrap_or(&self.exact)
    }

    /// First characters, for people.
    pub(crate) fn short(&self) -> &str {
        &self.exact[..12]
    }

    /// Whether outputs of one are outputs of the other.
    pub(crate) fn has_outputs_of(&self, other: &Self) -> bool {
        self.exact == other.exact || (self.essence.is_some() && self.essence == other.essence)
    }
}

fn digest_of(stage: &str, settings: &Value, inputs: &[&str]) -> String {
    let text = json!({
        "format": FORMAT, "stage": stage, "settings": settings, "inputs": inputs,
    });
    sha256_bytes(text.to_string().as_bytes())
}

/// What a training has in common with those that differ from it in their length alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lineage {
    key: String,
    images: u64,
}

impl Lineage {
    /// Of a training of `images` images, whose steps do not depend on that number.
    pub(crate) fn of(stage: &str, settings: &impl Serialize, inputs: &[&Key], images: u64) -> Self {
        let ignored = [COSMETIC, &[LENGTH]].concat();
        let key = Key::apart_from(&ignored, stage, settings, inputs);
        let key = key.as_str().to_owned();
        Self { key, images }
    }

    /// Whether this training goes on where the other one ended.
    pub(crate) fn prolongs(&self, other: &Self) -> bool {
        self.key == other.key && self.images >= other.images
    }
}

/// The digest of a file that a key depends on, or `missing`.
pub(crate) fn digest(path: &Path) -> String {
    sha256_file(path).unwrap_or_else(|_unreadable| "missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_name_settings_and_inputs() {
        let data = Key::of("data", &"fashion", &[]);
        let keys = [
            Key::of("collect", &1, &[&data]),
            Key::of("distill", &1, &[&data]),
            Key::of("collect", &2, &[&data]),
            Key::of("collect", &1, &[]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| !a.has_outputs_of(b)));
        }
        assert_eq!(keys[0], Key::of("collect", &1, &[&data]));
    }

    #[test]
    fn how_often_a_training_logs_changes_no_outputs_down_the_line() {
        let train = |log: u64| Key::of("train", &json!({ "recipe": { "log_images": log } }), &[]);
        let collect = |log: u64| Key::of("collect", &1, &[&train(log)]);
        assert!(train(1).has_outputs_of(&train(2)) && train(1) != train(2));
        assert!(collect(1).has_outputs_of(&collect(2)));
    }

    #[test]
    fn keys_that_earlier_versions_wrote_are_read() {
        let now = Key::of("train", &1, &[]);
        let before: Key = serde_json::from_value(json!({ "key": now.exact })).unwrap();
        assert!(now.has_outputs_of(&before) && before.has_outputs_of(&now));
    }

    #[test]
    fn a_longer_training_prolongs_a_shorter_one_of_the_same_settings() {
        let lineage = |images: u64, peak: f64| {
            let settings = json!({ "total_images": images, "peak": peak });
            Lineage::of("train", &settings, &[], images)
        };
        assert!(lineage(64, 1e-3).prolongs(&lineage(32, 1e-3)));
        assert!(!lineage(32, 1e-3).prolongs(&lineage(64, 1e-3)));
        assert!(!lineage(64, 1e-3).prolongs(&lineage(32, 2e-3)));
    }
}
