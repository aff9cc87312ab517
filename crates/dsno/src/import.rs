//! Weights of other programs become model folders.
//!
//! Nothing is built before a description says what the file should hold, and nothing is put in place
//! before every tensor was found with the right name and shape. Tensors then pass from file to file
//! one at a time, or in memory once where their names or layouts change.

mod describe;
mod folder;
mod format;
mod notice;
mod output;
mod prefix;
mod weights;

use std::path::{Path, PathBuf};

use dsno_operator::interop::WeightSet;

pub(crate) use describe::{Given, describe, describe_given, detect, files};
pub(crate) use format::Format;
pub(crate) use output::check as check_output;

use crate::failure::Failure;
use crate::model::Description;
use output::Output;

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
    /// A usage failure for an option that the format does not have; a preflight failure if a file of
    /// weights is not there.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (format, place) = (self.format, self.path.display());
        if self.weights.is_some() && !format.has_sets() {
            return Err(Failure::usage(format!(
                "files of format `{format}` hold one set of weights; leave --weights out"
            )));
        }
        if self.path.is_dir() && format != Format::Diffusers {
            return Err(Failure::preflight(format!(
                "{place} is a folder, and models of format `{format}` are single files"
            )));
        }
        if !self.path.exists() {
            return Err(Failure::preflight(format!("no file {place}")));
        }
        weights::weight_files(self).map(drop)
    }

    /// Tries the model folder, reads the weights, fits them to the description, and writes them.
    ///
    /// A model that is there is replaced at once, when all is written.
    ///
    /// # Errors
    ///
    /// As [`Self::check`]; a preflight failure if the folder cannot be written; a usage failure if the
    /// other program has no such network; a failure at run time if the file is damaged or does not fit.
    /// Nothing has changed then.
    pub(crate) fn import(&self, description: &Description, out: &Path) -> Result<(), Failure> {
        self.check()?;
        let output = Output::open(out)?;
        let found = weights::find(self, description)?;
        output.put(|folder| match description {
            Description::Teacher(teacher) => teacher.save(folder, found.weights()),
            Description::Student(student) => student.save(folder, found.weights()),
        })
    }
}
