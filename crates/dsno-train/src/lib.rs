//! From images to a one-step sampler: teacher training, trajectory collection, distillation.
//!
//! The three stages of operator learning for diffusion models (DSNO, Zheng et al. 2023,
//! arXiv:2211.13449v3), each a function of a job and nothing else:
//!
//! | stage                                   | function          | takes                 | leaves           |
//! |-----------------------------------------|-------------------|-----------------------|------------------|
//! | train a diffusion model on images       | [`train_teacher`] | [`TeacherJob`]        | a [`Teacher`]    |
//! | solve its ODE, store the trajectories   | [`collect`]       | [`CollectJob`]        | a trajectory store |
//! | learn noise to trajectory, in one pass  | [`distill`]       | [`DistillJob`]        | a [`Student`]    |
//!
//! The recipes ([`TeacherRecipe`], [`CollectRecipe`], [`DistillRecipe`]) hold what a user decides;
//! they are plain serde types without defaults. Training is counted in images.
//!
//! # Nothing is lost
//!
//! Noise, times, order and initial weights are functions of a seed and an index, so a run depends on
//! neither its batches' history nor a restart. [`training_state`] holds weights, average, Adam's moments
//! and position in one file that is replaced in one rename. A run that was killed and called again ends
//! in the same bits as one that was not, on the same device and build.
//!
//! # Teachers of others
//!
//! A teacher's network is of one of four families ([`Family`]); all are solved and distilled alike. A
//! student starts at its teacher's weights, or has an architecture of its own
//! ([`fresh_student`]). [`TeacherDescription`] and [`StudentDescription`] make folders of weights
//! that were trained elsewhere.
//!
//! # Extending
//!
//! Watch and stop a run through [`Observer`]. A loss between trajectories is a [`StateLoss`], given to
//! [`DistillJob`]; another method, with a second network or without trajectories, is an [`Objective`]
//! that [`Training`] minimises: both are written outside this crate. A new weight is a variant of
//! [`TimeWeight`] or [`Weighting`]; solvers are those of `dsno_ode::SolverKind`. The crate prints
//! nothing and chooses no device; autodiff is switched on in the loop alone.
//!
//! # Example
//!
//! `cargo run --release -p dsno-train --example three_stages` goes the whole way on toy images;
//! `own_loss` distils with a loss of its own.
//!
//! [`Teacher`]: dsno_model::Teacher
//! [`Student`]: dsno_model::Student
//! [`Family`]: dsno_operator::Family
//! [`fresh_student`]: dsno_model::fresh_student
//! [`TeacherDescription`]: dsno_model::TeacherDescription
//! [`StudentDescription`]: dsno_model::StudentDescription

mod collect;
mod distill;
mod error;
mod learning_rate;
pub mod log;
mod objective;
mod observer;
mod optimiser;
mod recipe;
pub mod run_key;
mod state_loss;
mod teacher;
mod training;
pub mod training_state;

pub use collect::{CollectJob, collect};
pub use distill::{DistillJob, distill};
pub use dsno_model::batches::{parallel_map, try_parallel_map};
pub use error::TrainError;
pub use learning_rate::{Decay, LearningRate};
pub use objective::{Ema, Loss, Objective};
pub use observer::{Notice, Observer, Outcome, Progress, Silent};
pub use optimiser::ema_rate;
pub use recipe::{
    Adam, CollectRecipe, DistillRecipe, RecipeError, StoreDtype, TeacherRecipe, TimeWeight,
    TrainingRecipe, Weighting,
};
pub use run_key::RunKey;
pub use state_loss::{Distance, StateLoss, mean_per_time};
pub use teacher::{TeacherJob, train_teacher};
pub use training::Training;
