//! Why a training, a collection or a distillation ended early.

use std::error::Error;
use std::path::PathBuf;

use dsno_checkpoint::atomic::WriteError;
use dsno_data::DataError;
use dsno_data::store::StoreError;
use dsno_model::{ModelError, StudentError};
use dsno_ode::{GridError, SolveError};
use dsno_operator::ConfigError;

use crate::recipe::RecipeError;
use crate::training_state::TrainingStateError;

/// Why a run failed; what was on disk before stays valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A recipe cannot be followed.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A network cannot be built.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A teacher and a student's architecture do not go together.
    #[error(transparent)]
    Student(#[from] StudentError),
    /// A model folder cannot be read or written, or its weights do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A training state cannot be read or written.
    #[error(transparent)]
    TrainingState(#[from] TrainingStateError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The trajectory store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The solver's grid is impossible.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The solver stopped.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// An objective cannot make its examples, for a reason of its own.
    #[error(transparent)]
    Objective(Box<dyn Error + Send + Sync>),
    /// The loss is not a number any more.
    #[error(
        "the loss is {loss} after {images} images; lower `learning_rate.peak` ({learning_rate:.1e} now) or lengthen the warm-up"
    )]
    NonFinite {
        /// Images seen.
        images: u64,
        /// The loss.
        loss: f64,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// Images do not have the network's shape.
    #[error("the data has images of {found:?}, the architecture expects {expected:?}")]
    ImageShape {
        /// Channels, height and width found.
        found: [usize; 3],
        /// Channels, height and width expected.
        expected: [usize; 3],
    },
    /// A class-conditional network and data without as many classes.
    #[error("the architecture has {expected} classes, the data has {found}")]
    Classes {
        /// Classes of the data.
        found: usize,
        /// Classes of the architecture.
        expected: usize,
    },
    /// The folder holds a run of another recipe.
    #[error(
        "{} belongs to a run with other settings; choose another folder or delete it", path.display()
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
    },
}
