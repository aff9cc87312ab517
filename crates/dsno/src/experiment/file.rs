//! Reading an experiment: file, overrides, schema, sense.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Table;

use super::{Experiment, Override, StudentPlan, renamed};
use crate::failure::{Failure, While};

/// An experiment as it will run, with the tree that it came from and what was changed in it.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) experiment: Experiment,
    /// All students: the main one first, then the ablations.
    pub(crate) students: Vec<StudentPlan>,
    pub(crate) overrides: Vec<Override>,
    file: PathBuf,
    tree: Table,
}

impl Resolved {
    /// Reads and checks an experiment file.
    ///
    /// # Errors
    ///
    /// A usage failure that names the file and the key: no such file, no TOML, a key that is
    /// missing, unknown or of the wrong type, settings that cannot work together.
    pub(crate) fn load(file: &Path, mut overrides: Vec<Override>) -> Result<Self, Failure> {
        let place = file.display();
        let text = std::fs::read_to_string(file).or_usage(format!("cannot read {place}"))?;
        let mut tree = text.parse::<Table>().map_err(|error| {
            Failure::usage(format!(
                "{place}{}: {}",
                line_of(&text, &error),
                error.message()
            ))
        })?;
        for key in renamed::rename(&mut tree, &mut overrides) {
            eprintln!("{place}: {key}");
        }
        for change in &overrides {
            change.apply(&mut tree)?;
        }
        let experiment: Experiment = read(&tree, &place.to_string())?;
        experiment
            .validate()
            .map_err(|error| Failure::usage(format!("{place}: {error}")))?;
        let students = students(&experiment, &tree, &place.to_string())?;
        Ok(Self {
            experiment,
            students,
            overrides,
            file: file.to_path_buf(),
            tree,
        })
    }

    /// The file as it runs, every override in place, with a heading that says where it comes from.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("# Resolved from {}", self.file.display());
        for change in &self.overrides {
            let _ = write!(text, "\n# --set {change}");
        }
        let body = toml::to_string(&self.tree).unwrap_or_default();
        format!("{text}\n\n{body}")
    }

    /// The resolved tree.
    pub(crate) fn tree(&self) -> &Table {
        &self.tree
    }
}

/// Reads a tree into the schema; errors become one line that ends in the path of the key.
fn read<T: DeserializeOwned>(tree: &Table, place: &str) -> Result<T, Failure> {
    let read = tree.clone().try_into();
    read.map_err(|error| Failure::usage(format!("{place}: {}", one_line(&error))))
}

/// An error as one line, with the whole path of its key at the end.
///
/// Tables that are read in two goes report two paths, the inner one first.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let text = text.trim().replace("\nin `", " in `").replace('\n', " ");
    let Some((rest, outer)) = text.strip_suffix('`').and_then(|t| t.rsplit_once(" in `")) else {
        return text;
    };
    match rest
        .strip_suffix('`')
        .and_then(|rest| rest.rsplit_once(" in `"))
    {
        Some((message, inner)) => format!("{message} in `{outer}.{inner}`"),
        None => text,
    }
}

fn line_of(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else {
        return String::new();
    };
    let line = text
        .as_bytes()
        .iter()
        .take(span.start)
        .filter(|byte| **byte == b'\n')
        .count()
        + 1;
    format!(", line {line}")
}

fn students(
    experiment: &Experiment,
    tree: &Table,
    place: &str,
) -> Result<Vec<StudentPlan>, Failure> {
    let mut students: Vec<_> = plan(experiment, StudentPlan::MAIN).into_iter().collect();
    for ablation in &experiment.ablation {
        let place = format!("{place}, ablation `{}`", ablation.name);
        let mut varied = tree.clone();
        for (key, value) in &ablation.set {
            if !key.starts_with("student.") && !key.starts_with("distill.") {
                return Err(Failure::usage(format!(
                    "{place}: cannot set `{key}`, only keys of `student` and `distill`; write them in quotes, as \"student.n_modes\""
                )));
            }
            Override::new(key, value.clone()).apply(&mut varied)?;
        }
        let varied: Experiment = read(&varied, &place)?;
        varied
            .validate()
            .map_err(|error| Failure::usage(format!("{place}: {error}")))?;
        students.extend(plan(&varied, &ablation.name));
    }
    Ok(students)
}

fn plan(experiment: &Experiment, name: &str) -> Option<StudentPlan> {
    Some(StudentPlan {
        name: name.to_owned(),
        settings: experiment.student.clone()?,
        distill: experiment.distill.clone()?,
    })
}
