//! Model folders: what is read of them without loading their weights.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_model::{Student, StudentDescription, Teacher, TeacherDescription};
use serde::Deserialize;

use crate::failure::{Failure, While};
use crate::import;

/// The file that describes a model.
pub(crate) const CARD: &str = "model.toml";
/// The file with its weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// Which of the two a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Teacher,
    Student,
}

fn kind(folder: &Path) -> Result<Kind, Failure> {
    /// The part of `model.toml` that both kinds of model have.
    #[derive(Deserialize)]
    struct Card {
        kind: String,
    }

    let path = folder.join(CARD);
    if !folder.is_dir() {
        return Err(Failure::preflight(format!(
            "no model folder {}",
            folder.display()
        )));
    }
    let lacks = format!("{} is no model folder, it lacks {CARD}", folder.display());
    if !path.is_file() && import::detect(folder).is_some() {
        return Err(Failure::preflight(format!(
            "{lacks}; `dsno import --format diffusers` makes one of it"
        )));
    }
    let text = fs::read_to_string(&path).or_preflight(lacks)?;
    let card: Card = toml::from_str(&text).map_err(|error| {
        Failure::run(format!(
            "{} describes no model: {}",
            path.display(),
            error.message()
        ))
    })?;
    match card.kind.as_str() {
        "teacher" => Ok(Kind::Teacher),
        "student" => Ok(Kind::Student),
        other => Err(Failure::run(format!(
            "{} is of kind `{other}`, expected `teacher` or `student`",
            path.display()
        ))),
    }
}

/// A model of either kind, without its weights.
#[derive(Debug, Clone)]
pub(crate) enum Description {
    Teacher(TeacherDescription),
    Student(StudentDescription),
}

impl Description {
    /// Reads what a model folder says.
    ///
    /// # Errors
    ///
    /// A preflight failure if there is none; a failure at run time if it is damaged.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let place = format!("reading the model {}", folder.display());
        match kind(folder)? {
            Kind::Teacher => TeacherDescription::read(folder)
                .map(Self::Teacher)
                .while_doing(place),
            Kind::Student => StudentDescription::read(folder)
                .map(Self::Student)
                .while_doing(place),
        }
    }
}

/// A model of either kind.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per call of the program")]
pub(crate) enum Model {
    Teacher(Teacher),
    Student(Student),
}

impl Model {
    /// Loads a model folder, whichever kind it holds.
    ///
    /// # Errors
    ///
    /// A preflight failure if there is none; a failure at run time if it is damaged.
    pub(crate) fn load(folder: &Path, device: &Device) -> Result<Self, Failure> {
        match kind(folder)? {
            Kind::Teacher => load_teacher(folder, device).map(Self::Teacher),
            Kind::Student => load_student(folder, device).map(Self::Student),
        }
    }

    /// Channels, height and width of its images.
    pub(crate) fn image_shape(&self) -> [usize; 3] {
        match self {
            Self::Teacher(teacher) => teacher.image_shape(),
            Self::Student(student) => student.image_shape(),
        }
    }

    /// Number of classes; 0 for an unconditional model.
    pub(crate) fn classes(&self) -> usize {
        match self {
            Self::Teacher(teacher) => teacher.classes(),
            Self::Student(student) => student.classes(),
        }
    }
}

/// Loads a teacher.
pub(crate) fn load_teacher(folder: &Path, device: &Device) -> Result<Teacher, Failure> {
    Teacher::load(folder, device).while_doing(format!("loading the teacher {}", folder.display()))
}

/// Loads a student.
pub(crate) fn load_student(folder: &Path, device: &Device) -> Result<Student, Failure> {
    Student::load(folder, device).while_doing(format!("loading the student {}", folder.display()))
}
