//! Models with all that is needed to use them: teachers, students, their folders, samplers.

mod backbone;
mod description;
mod family;
mod folder;
mod network;
mod sampler;
mod student;
mod teacher;
pub mod units;

pub use backbone::{BackboneError, backbone};
pub use description::{DescriptionError, StudentDescription, TeacherDescription};
pub use family::{Family, TeacherArchitecture, TeacherArchitectureError};
pub use folder::ModelError;
pub use network::TeacherNetwork;
pub use sampler::{SampleError, Sampler, Solve, StudentSampler, TeacherSampler};
pub use student::Student;
pub use teacher::Teacher;
