//! Weights of other programs become model folders.
//!
//! Nothing is built before a description says what the file should hold, and nothing is written
//! before every tensor was found with the right name and shape. Tensors then pass from file to file
//! one at a time, or in memory once where their names or layouts change.

mod describe;
mod format;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};

use dsno_operator::interop::WeightSet;

pub(crate) use describe::{describe, files};
pub(crate) use format::Format;

use crate::failure::{Failure, While};
use crate::model::Description;

/// A file of another program.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file, or the folder of a diffusers model.
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// Which weights of a training; the average if nothing is said.
    pub(crate) weights: Option<WeightSet>,
}

impl Source {
    /// Checks that there is something to read and that the options go together.
    ///
    /// # Errors
    ///
    /// A usage failure for an option that the format does not have; a preflight failure if the file is
    /// not there.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let format = self.format;
        if self.weights.is_some() && !format.has_sets() {
            return Err(Failure::usage(format!(
                "files of format `{format}` hold one set of weights; leave --weights out"
            )));
        }
        let is_folder = format == Format::Diffusers && self.path.is_dir();
        if !is_folder && !self.path.is_file() {
            return Err(Failure::preflight(format!(
                "no file {}",
                self.path.display()
            )));
        }
        Ok(())
    }

    /// Reads the weights, fits them to the description, and writes the model folder.
    ///
    /// # Errors
    ///
    /// As [`Self::check`]; a usage failure if the other program has no such network; a failure at run
    /// time if the file is damaged or does not fit, with every difference. Nothing is written then.
    pub(crate) fn import(&self, description: &Description, out: &Path) -> Result<(), Failure> {
        self.check()?;
        let found = weights::find(self, description)?;
        let was_there = out.exists();
        let saved = match description {
            Description::Teacher(teacher) => teacher.save(out, found.weights()),
            Description::Student(student) => student.save(out, found.weights()),
        };
        if saved.is_err() && !was_there {
            let _nothing_to_keep = fs::remove_dir_all(out);
        }
        saved.while_doing(format!("writing {}", out.display()))
    }
}
