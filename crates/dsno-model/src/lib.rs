//! Diffusion models and one-step students with all that is needed to use them.
//!
//! | question                                          | start at                                      |
//! |---------------------------------------------------|-----------------------------------------------|
//! | how is a model folder opened?                     | [`Teacher::load`], [`Student::load`]          |
//! | how do I sample?                                  | [`Student::sample`], [`TeacherSampler`]       |
//! | what does a folder say, without its weights?      | [`TeacherDescription`], [`StudentDescription`] |
//! | which network has a student of this teacher?      | [`student_config`], [`fresh_student`]         |
//! | what do an evaluation and a gallery need?         | the trait [`Sampler`], [`batches`]            |
//!
//! A model folder is `model.safetensors` with the weights and `model.toml` with all the rest, the
//! weights' SHA-256 included. Networks of every [family](dsno_operator::family) are opened alike.
//!
//! The crate trains nothing: it knows neither autodiff nor an optimiser. `examples/sample.rs` turns noise
//! into a picture with the student that ships.

pub mod batches;
mod description;
mod folder;
mod sampler;
mod start;
mod student;
mod teacher;
pub mod units;

pub use description::{DescriptionError, StudentDescription, TeacherDescription};
pub use folder::ModelError;
pub use sampler::{SampleError, Sampler, Solve, StudentSampler, TeacherSampler};
pub use start::{StudentError, fresh_student, student_config};
pub use student::Student;
pub use teacher::Teacher;
