//! What outputs depend on, and which are done.
//!
//! A stage has a key: the digest of its settings and of the keys of everything that it reads. Its
//! stage file says for which key its outputs were made. The file is written last, when all outputs
//! are durable, so a run that is killed at any moment finds either a finished stage or an unfinished
//! one that its own checkpoints continue.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::atomic::write_atomic;
use dsno_checkpoint::digest::{sha256_bytes, sha256_file};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;

/// Raised when outputs of an earlier version of the program can no longer be used.
const FORMAT: u32 = 1;

/// The digest of all that a stage's outputs are a function of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    /// The key of a stage: of its name, its settings, and the keys of its inputs.
    pub(crate) fn of(stage: &str, settings: &impl Serialize, inputs: &[&Self]) -> Self {
        let text = serde_json::json!({
            "format": FORMAT, "stage": stage, "settings": settings, "inputs": inputs,
        });
        Self(sha256_bytes(text.to_string().as_bytes()))
    }

    /// The whole digest, in hexadecimal.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first characters, for people.
    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// The digest of a file that a key depends on, or `missing`.
pub(crate) fn digest(path: &Path) -> String {
    sha256_file(path).unwrap_or_else(|_unreadable| "missing".to_owned())
}

/// What is known about a stage after a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageFile {
    pub(crate) stage: String,
    pub(crate) key: Key,
    pub(crate) done: bool,
    /// Seconds of work, as far as they could be recorded (a killed process takes its own with it).
    pub(crate) seconds: f64,
    /// When it was finished or stopped, in UTC.
    pub(crate) at: String,
    pub(crate) device: String,
    /// Files and folders that must exist for the stage to count as done, below the run folder.
    pub(crate) outputs: Vec<PathBuf>,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageReport {
    pub(crate) name: String,
    /// Seconds of work, in whichever run it was done.
    pub(crate) seconds: f64,
    /// Whether it had been done before.
    pub(crate) skipped: bool,
}

/// The stage files of one run folder.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    folder: RunFolder,
    device: String,
}

impl Ledger {
    /// The ledger of a run folder, which need not exist yet.
    pub(crate) fn new(folder: RunFolder, device: &str) -> Self {
        Self {
            folder,
            device: device.to_owned(),
        }
    }

    /// The run folder.
    pub(crate) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    fn path(&self, stage: &str) -> PathBuf {
        self.folder.join("stages").join(format!("{stage}.json"))
    }

    /// What is known about a stage; nothing if its file is absent or unreadable.
    fn read(&self, stage: &str) -> Option<StageFile> {
        serde_json::from_slice(&fs::read(self.path(stage)).ok()?).ok()
    }

    /// Whether a stage was finished for this key and its outputs are still there.
    pub(crate) fn is_done(&self, stage: &str, key: &Key) -> bool {
        self.read(stage).is_some_and(|file| {
            file.done
                && file.key == *key
                && file
                    .outputs
                    .iter()
                    .all(|output| self.folder.join(output).exists())
        })
    }

    /// The report of a stage that was done before.
    pub(crate) fn skipped(&self, stage: &str) -> StageReport {
        StageReport {
            name: stage.to_owned(),
            seconds: self.read(stage).map_or(0.0, |file| file.seconds),
            skipped: true,
        }
    }

    /// Prepares a stage: leftovers of another key are removed, those of this one are kept.
    ///
    /// Returns the seconds that earlier, interrupted attempts took.
    pub(crate) fn begin(
        &self,
        stage: &str,
        key: &Key,
        outputs: &[PathBuf],
    ) -> Result<f64, Failure> {
        let known = self.read(stage);
        if let Some(file) = known.filter(|file| file.key == *key) {
            // A finished stage whose outputs were deleted since then starts from what is left.
            let seconds = if file.done { 0.0 } else { file.seconds };
            self.write(stage, key, false, seconds, outputs)?;
            return Ok(seconds);
        }
        remove(&self.path(stage))?;
        for output in outputs {
            remove(&self.folder.join(output))?;
        }
        self.write(stage, key, false, 0.0, outputs)?;
        Ok(0.0)
    }

    /// Records the time of an attempt that was stopped before the end.
    pub(crate) fn pause(
        &self,
        stage: &str,
        key: &Key,
        seconds: f64,
        outputs: &[PathBuf],
    ) -> Result<(), Failure> {
        self.write(stage, key, false, seconds, outputs)
    }

    /// Marks a stage as done; its outputs must be durable by now.
    pub(crate) fn finish(
        &self,
        stage: &str,
        key: &Key,
        seconds: f64,
        outputs: &[PathBuf],
    ) -> Result<(), Failure> {
        self.write(stage, key, true, seconds, outputs)
    }

    fn write(
        &self,
        stage: &str,
        key: &Key,
        done: bool,
        seconds: f64,
        outputs: &[PathBuf],
    ) -> Result<(), Failure> {
        let file = StageFile {
            stage: stage.to_owned(),
            key: key.clone(),
            done,
            seconds,
            at: clock::now(),
            device: self.device.clone(),
            outputs: outputs.to_vec(),
        };
        let path = self.path(stage);
        let folder = self.folder.join("stages");
        fs::create_dir_all(&folder).while_doing(format!("cannot create {}", folder.display()))?;
        let text = serde_json::to_vec_pretty(&file).while_doing("writing a stage file")?;
        write_atomic(path, &text).while_doing(format!("recording stage {stage}"))
    }
}

/// Removes a file or a folder if it is there.
fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match fs::symlink_metadata(path) {
        Err(_absent) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.while_doing(format!("cannot remove {}", path.display()))
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
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(keys[0], Key::of("collect", &1, &[&data]));
    }

    #[test]
    fn leftovers_survive_only_their_own_key() {
        let out = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(RunFolder::new(out.path(), "run"), "flex");
        let (old, new) = (Key::of("distill", &1, &[]), Key::of("distill", &2, &[]));
        let outputs = [PathBuf::from("distill")];
        let folder = ledger.folder().join("distill");
        let checkpoint = folder.join("checkpoint");

        ledger.begin("distill", &old, &outputs).unwrap();
        fs::create_dir(folder).unwrap();
        fs::write(&checkpoint, "half").unwrap();
        ledger.begin("distill", &old, &outputs).unwrap();
        assert!(checkpoint.exists() && !ledger.is_done("distill", &old));

        ledger.finish("distill", &old, 1.0, &outputs).unwrap();
        assert!(ledger.is_done("distill", &old) && !ledger.is_done("distill", &new));

        ledger.begin("distill", &new, &outputs).unwrap();
        assert!(!checkpoint.exists() && !ledger.is_done("distill", &old));
    }

    #[test]
    fn a_stage_whose_output_was_deleted_is_not_done() {
        let out = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(RunFolder::new(out.path(), "run"), "flex");
        let key = Key::of("sample", &1, &[]);
        ledger
            .finish("sample", &key, 1.0, &[PathBuf::from("samples")])
            .unwrap();
        assert!(!ledger.is_done("sample", &key));
    }
}
