//! Training: teachers, trajectory collection and distillation into one-step operators.

pub mod checkpoint;
mod collect;
mod distill;
mod ema;
mod error;
mod learning_rate;
pub mod log;
mod model;
mod observer;
mod optimiser;
mod recipe;
mod teacher;
mod training;

pub use collect::{CollectJob, collect};
pub use distill::{DistillJob, distill};
pub use ema::{Ema, ema_rate};
pub use error::TrainError;
pub use learning_rate::{Decay, LearningRate};
pub use model::{ModelError, Student, Teacher, TeacherDenoiser};
pub use observer::{Observer, Outcome, Progress, Silent};
pub use recipe::{
    Adam, CollectRecipe, Distance, DistillRecipe, Method, Precision, RecipeError, TeacherRecipe,
    TimeWeight, Weighting,
};
pub use teacher::{TeacherJob, train_teacher};
