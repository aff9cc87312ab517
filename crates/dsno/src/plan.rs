//! What a run will do with each stage, and what it would delete.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::experiment::Resolved;
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::ledger::{Ledger, State};
use crate::stage::Stages;

/// What there is to do for one stage.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) stage: String,
    pub(crate) key: String,
    pub(crate) done: bool,
    /// Whether it goes on from what is there.
    pub(crate) continues: bool,
    /// What was made with other settings and will be deleted.
    pub(crate) deletes: Vec<PathBuf>,
}

/// What there is to do and what is done.
pub(crate) fn plan(stages: &Stages<'_>, ledger: &Ledger) -> Vec<Step> {
    let steps = stages.iter().map(|stage| {
        let facts = stage.facts();
        let state = ledger.state(facts);
        let deletes = match &state {
            State::Foreign(outputs) if !facts.derived => outputs.clone(),
            _ => Vec::new(),
        };
        Step {
            stage: facts.name.clone(),
            key: facts.key.short().to_owned(),
            done: state == State::Done,
            continues: matches!(state, State::Open(_)),
            deletes,
        }
    });
    steps.collect()
}

impl Step {
    /// What becomes of the stage, in a few words.
    pub(crate) fn fate(&self) -> String {
        let deletes: Vec<_> = self
            .deletes
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        match self {
            Self { done: true, .. } => "done".to_owned(),
            Self {
                continues: true, ..
            } => "to do, continuing".to_owned(),
            _ if deletes.is_empty() => "to do".to_owned(),
            _ => format!("to do; {} will be deleted", deletes.join(", ")),
        }
    }
}

/// Fails if stages would delete what other settings made.
///
/// # Errors
///
/// A usage failure that names the folders, and the other experiment if they are of one.
pub(crate) fn refuse_to_delete(
    steps: &[Step],
    folder: &RunFolder,
    resolved: &Resolved,
) -> Result<(), Failure> {
    let lost: Vec<String> = steps
        .iter()
        .flat_map(|step| &step.deletes)
        .map(|path| path.display().to_string())
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let lost = lost.join(", ");
    Err(Failure::usage(match other_owner(folder, resolved.file()) {
        Some(other) => format!(
            "{} holds the run of {}, and {lost} would be deleted; give {} another `name`",
            folder.path().display(),
            other.display(),
            resolved.file().display()
        ),
        None => format!(
            "{lost} would be deleted, since other settings or other data made it; give another folder with `--out`, or allow it with `--replace`"
        ),
    }))
}

/// The experiment file that a run folder was made from, if it is there and is not `file`.
fn other_owner(folder: &RunFolder, file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(folder.join("experiment.toml")).ok()?;
    let owner = text.lines().next()?.strip_prefix(Resolved::HEADING)?;
    let owner = PathBuf::from(owner);
    let (a, b) = (fs::canonicalize(&owner).ok()?, fs::canonicalize(file).ok()?);
    (a != b).then_some(owner)
}
