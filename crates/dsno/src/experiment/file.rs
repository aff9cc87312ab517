//! Reading an experiment: file, overrides, schema, sense.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use toml::Table;

use super::{Ablation, Experiment, Override, StudentPlan, renamed};

/// An experiment as it will run, with the tree that it came from and what was changed in it.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) experiment: Experiment,
    /// All students: the main one first, then the ablations.
    pub(crate) students: Vec<StudentPlan>,
    pub(crate) overrides: Vec<Override>,
    /// What whoever wrote the file should know.
    pub(crate) notices: Vec<String>,
    file: PathBuf,
    tree: Table,
}

impl Resolved {
    /// How the file of a run begins; the path that it was read from follows.
    pub(crate) const HEADING: &str = "# Resolved from ";

    /// Reads and checks an experiment file.
    ///
    /// # Errors
    ///
    /// A sentence that names the file and the key: no such file, no TOML, a key that is missing, unknown
    /// or of the wrong type, sections that do not go together.
    pub(crate) fn load(file: &Path, mut overrides: Vec<Override>) -> Result<Self, String> {
        let place = file.display();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("cannot read {place}: {error}"))?;
        let mut tree = text.parse::<Table>().map_err(|error| {
            let line = line_of(&text, &error);
            format!("{place}{line}: {}", error.message())
        })?;
        let renamed = renamed::rename(&mut tree, &mut overrides);
        let notices = renamed.iter().map(|key| format!("{place}: {key}"));
        let notices = notices.collect();
        for change in &overrides {
            change.apply(&mut tree)?;
        }
        let read = |tree: &Table| read(tree).map_err(|error| format!("{place}: {error}"));
        let experiment = read(&tree)?;
        let students = students(&experiment, &tree).map_err(|e| format!("{place}, {e}"))?;
        Ok(Self {
            experiment,
            students,
            overrides,
            notices,
            file: file.to_path_buf(),
            tree,
        })
    }

    /// The file as it runs, every override in place, with a heading that says where it comes from.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}{}", Self::HEADING, self.file.display());
        for change in &self.overrides {
            let _ = write!(text, "\n# --set {change}");
        }
        let body = toml::to_string(&self.tree).unwrap_or_default();
        format!("{text}\n\n{body}")
    }

    /// The file that was read.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The resolved tree.
    pub(crate) fn tree(&self) -> &Table {
        &self.tree
    }
}

/// Reads a tree into the schema; errors become one line that ends in the path of the key.
fn read(tree: &Table) -> Result<Experiment, String> {
    let read: Result<Experiment, _> = tree.clone().try_into();
    let experiment = read.map_err(|error| one_line(&error))?;
    experiment.validate()?;
    Ok(experiment)
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

/// All students: the one of the file, and the file's with the keys of each ablation changed.
fn students(experiment: &Experiment, tree: &Table) -> Result<Vec<StudentPlan>, String> {
    let mut students: Vec<_> = plan(experiment, StudentPlan::MAIN).into_iter().collect();
    for ablation in &experiment.ablation {
        let varied = varied(tree, ablation);
        let varied = varied.map_err(|error| format!("ablation `{}`: {error}", ablation.name))?;
        students.extend(plan(&varied, &ablation.name));
    }
    Ok(students)
}

fn varied(tree: &Table, ablation: &Ablation) -> Result<Experiment, String> {
    let mut varied = tree.clone();
    for (key, value) in &ablation.set {
        if !key.starts_with("student.") && !key.starts_with("distill.") {
            return Err(format!(
                "cannot set `{key}`, only keys of `student` and `distill`; write them in quotes, as \"student.n_modes\""
            ));
        }
        Override::new(key, value.clone()).apply(&mut varied)?;
    }
    read(&varied)
}

fn plan(experiment: &Experiment, name: &str) -> Option<StudentPlan> {
    Some(StudentPlan {
        name: name.to_owned(),
        settings: experiment.student.clone()?,
        distill: experiment.distill.clone()?,
    })
}
