//! Model folders: what is read of them without loading their weights.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dsno_operator::Architecture;
use dsno_train::{Student, Teacher};
use serde::Deserialize;

use crate::failure::{Failure, While};

/// The file that describes a model.
pub(crate) const CARD: &str = "model.toml";
/// The file with its weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// Where a run keeps its teacher, below the run folder.
pub(crate) const TEACHER_FOLDER: &str = "teacher/model";
/// Formats that `dsno import` reads.
pub(crate) const IMPORT_FORMATS: [&str; 1] = ["safetensors"];

/// The part of `model.toml` that both kinds of model have.
#[derive(Debug, Deserialize)]
struct Card {
    kind: String,
    architecture: Architecture,
}

fn card(folder: &Path) -> Result<Card, Failure> {
    let path = folder.join(CARD);
    if !folder.is_dir() {
        return Err(Failure::preflight(format!(
            "no model folder {}",
            folder.display()
        )));
    }
    let text = fs::read_to_string(&path).or_preflight(format!(
        "{} is no model folder, it lacks {CARD}",
        folder.display()
    ))?;
    toml::from_str(&text).map_err(|error| {
        Failure::run(format!(
            "{} describes no model: {}",
            path.display(),
            error.message()
        ))
    })
}

/// The architecture of a model.
pub(crate) fn architecture_of(folder: &Path) -> Result<Architecture, Failure> {
    card(folder).map(|card| card.architecture)
}

/// A model of either kind.
#[derive(Debug)]
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
        let card = card(folder)?;
        match card.kind.as_str() {
            "teacher" => load_teacher(folder, device).map(Self::Teacher),
            "student" => load_student(folder, device).map(Self::Student),
            other => Err(Failure::run(format!(
                "{} is of kind `{other}`, expected `teacher` or `student`",
                folder.join(CARD).display()
            ))),
        }
    }

    /// Its architecture.
    pub(crate) fn architecture(&self) -> &Architecture {
        match self {
            Self::Teacher(teacher) => &teacher.architecture,
            Self::Student(student) => &student.architecture,
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

/// The model folder that a student's stage leaves, below the run folder.
pub(crate) fn student_folder(stage: &str) -> PathBuf {
    Path::new(stage).join("model")
}
