//! Which stages are done, which go on, and which would replace what is there.
//!
//! A stage has a [`Key`]: the digest of its settings and of the keys of everything that it reads. Its
//! stage file says for which key its outputs were made, and which files they are. It is written last,
//! when all outputs are durable, so a run that is killed at any moment finds either a finished stage or
//! an unfinished one that its own checkpoints continue.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::atomic::write_atomic;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::key::{Key, Lineage};
use crate::manifest::{self, Record};
use crate::stage::Facts;

/// What is known about a stage after a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StageFile {
    stage: String,
    #[serde(flatten)]
    key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<Lineage>,
    done: bool,
    /// Seconds of work, as far as they could be recorded (a killed process takes its own with it).
    seconds: f64,
    /// When it was finished or stopped, in UTC.
    at: String,
    device: String,
    /// Files and folders that must exist for the stage to count as done, below the run folder.
    outputs: Vec<PathBuf>,
    /// The files of a finished stage; those of earlier versions name none.
    #[serde(default)]
    files: Vec<Record>,
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

/// What a run folder has of a stage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// Nothing.
    New,
    /// All of it, and every file is whole.
    Done,
    /// A part, which is gone on from; of a finished stage whose files are not whole any more, what is
    /// wrong with them.
    Open(Option<String>),
    /// What was made with other settings, or by nobody known: these would be deleted.
    Foreign(Vec<PathBuf>),
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

    /// What is there of a stage.
    pub(crate) fn state(&self, facts: &Facts) -> State {
        let known = self.read(&facts.name);
        let is_of_key = |file: &StageFile| facts.key.has_outputs_of(&file.key);
        let of_key = known.filter(|file| is_of_key(file) || prolongs(facts, file));
        let Some(file) = of_key else {
            let outputs = facts.outputs.iter().map(|output| self.folder.join(output));
            let found: Vec<PathBuf> = outputs.filter(|path| path.exists()).collect();
            return if found.is_empty() {
                State::New
            } else {
                State::Foreign(found)
            };
        };
        if !file.done || !is_of_key(&file) {
            return State::Open(None);
        }
        let folder = self.folder.path();
        match manifest::missing(folder, &file.outputs).or(manifest::flaw(folder, &file.files)) {
            None => State::Done,
            flaw => State::Open(flaw),
        }
    }

    /// Whether a stage was finished for its key and its outputs are whole.
    pub(crate) fn is_done(&self, facts: &Facts) -> bool {
        self.state(facts) == State::Done
    }

    /// Bytes that what is there of a stage takes.
    pub(crate) fn bytes_of(&self, facts: &Facts) -> u64 {
        manifest::bytes(self.folder.path(), &facts.outputs)
    }

    /// The report of a stage that was done before.
    pub(crate) fn skipped(&self, stage: &str) -> StageReport {
        StageReport {
            name: stage.to_owned(),
            seconds: self.read(stage).map_or(0.0, |file| file.seconds),
            skipped: true,
        }
    }

    /// Prepares a stage: what is there of it is kept, what is foreign is removed.
    ///
    /// Returns the seconds that earlier, interrupted attempts took.
    pub(crate) fn begin(&self, facts: &Facts) -> Result<f64, Failure> {
        let seconds = match self.state(facts) {
            // A finished stage whose files are not whole starts from what is left.
            State::Open(None) => self.read(&facts.name).map_or(0.0, |file| file.seconds),
            State::New | State::Done | State::Open(Some(_)) => 0.0,
            State::Foreign(outputs) => {
                remove(&self.path(&facts.name))?;
                outputs.iter().try_for_each(|output| remove(output))?;
                0.0
            }
        };
        self.write(facts, false, seconds, Vec::new())?;
        Ok(seconds)
    }

    /// Records the time of an attempt that was stopped before the end.
    pub(crate) fn pause(&self, facts: &Facts, seconds: f64) -> Result<(), Failure> {
        self.write(facts, false, seconds, Vec::new())
    }

    /// Marks a stage as done; its outputs must be durable by now.
    pub(crate) fn finish(&self, facts: &Facts, seconds: f64) -> Result<(), Failure> {
        let folder = self.folder.path();
        let files = manifest::record(folder, &facts.outputs, facts.checksummed)?;
        self.write(facts, true, seconds, files)
    }

    fn write(
        &self,
        facts: &Facts,
        done: bool,
        seconds: f64,
        files: Vec<Record>,
    ) -> Result<(), Failure> {
        let stage = &facts.name;
        let file = StageFile {
            stage: stage.clone(),
            key: facts.key.clone(),
            lineage: facts.lineage.clone(),
            done,
            seconds,
            at: clock::now(),
            device: self.device.clone(),
            outputs: facts.outputs.clone(),
            files,
        };
        let folder = self.folder.join("stages");
        fs::create_dir_all(&folder).while_doing(format!("cannot create {}", folder.display()))?;
        let text = serde_json::to_vec_pretty(&file).while_doing("writing a stage file")?;
        write_atomic(self.path(stage), &text).while_doing(format!("recording stage {stage}"))
    }
}

/// Whether the stage is a training that goes on where that of the file was to end.
fn prolongs(facts: &Facts, file: &StageFile) -> bool {
    let (Some(longer), Some(shorter)) = (&facts.lineage, &file.lineage) else {
        return false;
    };
    longer.prolongs(shorter)
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
    use serde_json::json;

    use super::*;

    fn facts(setting: u32, images: u64) -> Facts {
        let settings = json!({ "setting": setting, "total_images": images });
        Facts {
            name: "distill".to_owned(),
            key: Key::of("distill", &settings, &[]),
            lineage: Some(Lineage::of("distill", &settings, &[], images)),
            outputs: vec![PathBuf::from("distill")],
            checksummed: false,
            derived: false,
            unit: "images",
            trains: None,
        }
    }

    fn ledger(out: &Path) -> (Ledger, PathBuf) {
        let ledger = Ledger::new(RunFolder::new(out, "run"), "flex");
        let file = ledger.folder().join("distill/weights");
        (ledger, file)
    }

    #[test]
    fn leftovers_survive_only_their_own_key() {
        let out = tempfile::tempdir().unwrap();
        let (ledger, weights) = ledger(out.path());
        let (old, new) = (facts(1, 32), facts(2, 32));
        assert_eq!(ledger.state(&old), State::New);

        ledger.begin(&old).unwrap();
        fs::create_dir(weights.parent().unwrap()).unwrap();
        fs::write(&weights, "half").unwrap();
        assert_eq!(ledger.state(&old), State::Open(None));
        ledger.begin(&old).unwrap();
        assert!(weights.exists());

        ledger.finish(&old, 1.0).unwrap();
        assert!(ledger.is_done(&old) && !ledger.is_done(&new));
        let folder = weights.parent().unwrap().to_path_buf();
        assert_eq!(ledger.state(&new), State::Foreign(vec![folder]));

        ledger.begin(&new).unwrap();
        assert!(!weights.exists() && !ledger.is_done(&old));
    }

    #[test]
    fn outputs_that_no_stage_file_explains_are_foreign() {
        let out = tempfile::tempdir().unwrap();
        let (ledger, weights) = ledger(out.path());
        fs::create_dir_all(weights.parent().unwrap()).unwrap();
        assert!(matches!(ledger.state(&facts(1, 32)), State::Foreign(_)));
    }

    #[test]
    fn a_longer_training_goes_on_and_a_shorter_one_does_not() {
        let out = tempfile::tempdir().unwrap();
        let (ledger, weights) = ledger(out.path());
        ledger.begin(&facts(1, 32)).unwrap();
        fs::create_dir(weights.parent().unwrap()).unwrap();
        fs::write(&weights, "whole").unwrap();
        ledger.finish(&facts(1, 32), 2.0).unwrap();
        assert_eq!(ledger.state(&facts(1, 64)), State::Open(None));
        assert!(matches!(ledger.state(&facts(1, 16)), State::Foreign(_)));
        assert_eq!(ledger.begin(&facts(1, 64)).unwrap(), 2.0);
        assert!(weights.exists());
    }

    #[test]
    fn a_stage_whose_files_are_not_whole_is_not_done() {
        let out = tempfile::tempdir().unwrap();
        let (ledger, weights) = ledger(out.path());
        fs::create_dir_all(weights.parent().unwrap()).unwrap();
        fs::write(&weights, "whole").unwrap();
        ledger.finish(&facts(1, 32), 1.0).unwrap();
        fs::write(&weights, "wh").unwrap();
        let State::Open(Some(flaw)) = ledger.state(&facts(1, 32)) else {
            panic!("it is taken for whole");
        };
        assert!(flaw.contains("weights"), "{flaw}");
    }
}
