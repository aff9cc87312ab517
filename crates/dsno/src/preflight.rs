//! What a run needs against what is there, before anything starts or is written.

mod machine;

use std::fmt::Write;

use crate::console::note;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::folder::RunFolder;

/// Copies of the weights that training keeps: weights, gradients, two moments of Adam, the average.
const TRAINING_COPIES: u64 = 5;
/// Copies that end up on the disk: two checkpoints of four copies, and the result.
const STORED_COPIES: u64 = 9;

/// What the stages need.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    unmet: Vec<Need>,
    disk_bytes: u64,
    memory_bytes: u64,
}

/// Something that is needed and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Need {
    what: String,
    problem: String,
    remedy: String,
}

impl Needs {
    /// Adds something that is not there; what several stages miss is told once.
    pub(crate) fn unmet(
        &mut self,
        what: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let need = Need {
            what: what.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        };
        if !self.unmet.contains(&need) {
            self.unmet.push(need);
        }
    }

    /// Adds the bytes that a stage writes, of which some are `there` already.
    pub(crate) fn disk(&mut self, bytes: u64, there: u64) {
        self.disk_bytes += bytes.saturating_sub(there);
    }

    /// Adds a model that a stage writes.
    pub(crate) fn model(&mut self, parameters: usize, there: u64) {
        self.disk(parameters as u64 * 4, there);
    }

    /// Adds the training of a network.
    pub(crate) fn training(&mut self, parameters: usize, there: u64) {
        let weights = parameters as u64 * 4;
        self.disk(weights * STORED_COPIES, there);
        self.memory_bytes = self.memory_bytes.max(weights * TRAINING_COPIES);
    }

    /// Checks the machine too, and prints what is missing.
    ///
    /// # Errors
    ///
    /// A preflight failure if something is missing.
    pub(crate) fn check(
        mut self,
        experiment: &Experiment,
        folder: &RunFolder,
    ) -> Result<(), Failure> {
        machine::check(&mut self, folder.path());
        if self.unmet.is_empty() {
            return Ok(());
        }
        note!("{}", self.screen(experiment).trim_end());
        let things = match self.unmet.len() {
            1 => "1 need is".to_owned(),
            n => format!("{n} needs are"),
        };
        Err(Failure::preflight(format!(
            "{things} not met, so nothing was started"
        )))
    }

    fn screen(&self, experiment: &Experiment) -> String {
        let mut text = format!("Experiment `{}` cannot start here:\n\n", experiment.name);
        for Need {
            what,
            problem,
            remedy,
        } in &self.unmet
        {
            let _ = writeln!(text, "  {what}: {problem}\n    → {remedy}");
        }
        if let Some(mini) = &experiment.mini {
            let _ = writeln!(
                text,
                "\nIts scaled-down twin needs none of this: dsno experiment {mini}"
            );
        }
        text + "\n"
    }
}
