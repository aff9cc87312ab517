//! Our networks in other programs' files.
//!
//! | files                                             | part                | direction |
//! |---------------------------------------------------|---------------------|-----------|
//! | the DSNO authors' checkpoints and settings        | [`dsno_pytorch`]    | in, out   |
//! | progressive distillation's Flax checkpoints       | [`progressive_distillation`] | in        |
//!
//! Networks of other kinds are not converted but run as they are; they live elsewhere.
//!
//! Every parameter of ours has one place in such a file, or three where attention's projections lie
//! apart. Reading is strict in both directions: all places are found with the shapes that the
//! architecture says, nothing is left over but what is named as left alone, and every difference is
//! listed in one error. Tensors are moved one at a time.

pub mod dsno_pytorch;
pub mod progressive_distillation;

use dsno_checkpoint::{Checkpoint, CheckpointError, StateDict, WeightError};
use serde::{Deserialize, Serialize};

use crate::config_error::ConfigError;
use crate::entry::{Entry, match_up, read, shapes_of};

/// Which of the weights of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightSet {
    /// The moving average, with which programs sample.
    #[default]
    Ema,
    /// The weights of the last step.
    Model,
}

impl WeightSet {
    /// Both of them.
    pub const ALL: &[Self] = &[Self::Ema, Self::Model];

    /// Its name in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ema => "ema",
            Self::Model => "model",
        }
    }
}

/// Why another program's weights cannot become a network of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The architecture is impossible.
    #[error(transparent)]
    Architecture(#[from] ConfigError),
    /// The architecture is possible, but the other program has no such network.
    #[error("{program} has no network with {what}")]
    Foreign {
        /// The other program.
        program: &'static str,
        /// What it lacks.
        what: &'static str,
    },
    /// The file does not hold the set of weights that was asked for.
    #[error("the file has no weights under `{asked}`, only under {found:?}")]
    NoSuchSet {
        /// Where they were to be.
        asked: &'static str,
        /// What names begin with.
        found: Vec<String>,
    },
    /// A tensor cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Names or shapes are not those of the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// Reads all entries from the part of `checkpoint` below one prefix, which has nothing else.
///
/// Of a file that holds a training run, `prefixes` are what names of either set begin with, and
/// `ignored` what else there may be; a file without either set is read as it is. `wrapper` is what all
/// names may begin with besides.
fn read_set(
    entries: Vec<Entry>,
    checkpoint: &Checkpoint,
    set: WeightSet,
    layout: &RunLayout,
) -> Result<StateDict, ImportError> {
    let inside = layout.part(checkpoint, set)?;
    let matched = match_up(entries, shapes_of(&inside), |_| None)?;
    Ok(read(matched, |name| inside.read(name))?)
}

/// How a program's files of training runs are laid out.
struct RunLayout {
    /// What names of the average and of the last weights begin with.
    prefixes: [&'static str; 2],
    /// What names of a whole training run begin with.
    marks: [&'static str; 2],
    /// What else a training run holds, which is not read.
    ignored: &'static [&'static str],
    /// What all names may begin with besides.
    wrapper: &'static str,
    separator: char,
}

impl RunLayout {
    fn part(&self, checkpoint: &Checkpoint, set: WeightSet) -> Result<Checkpoint, ImportError> {
        let has = |prefix: &str| checkpoint.names().any(|name| name.starts_with(prefix));
        let asked = self.prefixes[usize::from(set == WeightSet::Model)];
        let inside = if !self.marks.into_iter().any(has) {
            checkpoint.clone()
        } else if has(asked) {
            let is_known = |name: &&str| self.ignored.iter().any(|known| name.starts_with(known));
            let stray = checkpoint.names().filter(|name| !is_known(name));
            let unexpected: Vec<String> = stray.map(str::to_owned).collect();
            if !unexpected.is_empty() {
                return Err(ImportError::Weights(WeightError::Mismatch {
                    missing: vec![],
                    unexpected,
                    misshapen: vec![],
                }));
            }
            checkpoint.sub_dict(asked)
        } else {
            let first = |name: &str| match name.split_once(self.separator) {
                Some((first, _)) => format!("{first}{}", self.separator),
                None => name.to_owned(),
            };
            let mut found: Vec<String> = checkpoint.names().map(first).collect();
            found.dedup();
            return Err(ImportError::NoSuchSet { asked, found });
        };
        let wrapped = |name: &str| name.starts_with(self.wrapper);
        Ok(if !inside.is_empty() && inside.names().all(wrapped) {
            inside.sub_dict(self.wrapper)
        } else {
            inside
        })
    }
}
