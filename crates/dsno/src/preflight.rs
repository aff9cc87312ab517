//! What a run needs against what is there, before anything starts or is written.

mod file;
mod machine;

use std::fmt::Write;

use dsno_model::{TeacherArchitecture, TeacherDescription};

use crate::experiment::{Experiment, Resolved, TeacherSource};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::home::Home;
use crate::ledger::Ledger;
use crate::model;
use crate::plan::{Plan, name};

/// Something that the run needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Need {
    what: String,
    problem: String,
    remedy: String,
}

/// Checks everything that can be checked in a moment, and prints what is missing.
///
/// # Errors
///
/// A preflight failure if something is missing; nothing has been written.
pub(crate) fn check(
    resolved: &Resolved,
    plan: &Plan,
    ledger: &Ledger,
    folder: &RunFolder,
    home: &Home,
) -> Result<(), Failure> {
    let experiment = &resolved.experiment;
    let mut needs = Vec::new();
    let is_loaded = matches!(experiment.teacher, TeacherSource::Load(_));
    let is_made = !is_loaded && ledger.is_done(name::TEACHER, &plan.teacher);
    let architecture = if is_made {
        let folder = folder.join(model::TEACHER_FOLDER);
        TeacherDescription::read(&folder)
            .ok()
            .map(|teacher| teacher.architecture)
    } else {
        file::teacher(experiment, home, &mut needs)
    };
    let trains = matches!(experiment.teacher, TeacherSource::Train(_)) && !is_made;
    if trains || experiment.evaluate.is_some() {
        file::data(experiment, plan, home, &mut needs);
    }
    file::features(experiment, home, &mut needs);
    file::losses(resolved, home, &mut needs);
    if let Some(architecture) = &architecture {
        fits(architecture, experiment, plan)?;
        for student in &resolved.students {
            let network = student.settings.network(architecture);
            network.map_err(Failure::usage)?;
        }
    }
    machine::space(resolved, plan, architecture.as_ref(), folder, &mut needs);
    if needs.is_empty() {
        return Ok(());
    }
    eprint!("{}", screen(experiment, &needs));
    let things = if needs.len() == 1 {
        "1 need is".to_owned()
    } else {
        format!("{} needs are", needs.len())
    };
    Err(Failure::preflight(format!(
        "{things} not met, so nothing was started"
    )))
}

fn screen(experiment: &Experiment, needs: &[Need]) -> String {
    let mut text = format!("Experiment `{}` cannot start here:\n\n", experiment.name);
    for Need {
        what,
        problem,
        remedy,
    } in needs
    {
        let _ = writeln!(text, "  {what}: {problem}\n    → {remedy}");
    }
    if let Some(mini) = &experiment.mini {
        let _ = writeln!(
            text,
            "\nIts scaled-down twin needs none of this: dsno experiment {mini}"
        );
    }
    text + "\n"
}

fn need(needs: &mut Vec<Need>, what: impl Into<String>, problem: String, remedy: String) {
    needs.push(Need {
        what: what.into(),
        problem,
        remedy,
    });
}

/// The teacher must be for images of this size.
fn fits(
    architecture: &TeacherArchitecture,
    experiment: &Experiment,
    plan: &Plan,
) -> Result<(), Failure> {
    let [channels, size, _] = architecture.image_shape();
    let (asked, spec_channels) = (experiment.data.image_size, plan.spec.channels);
    if (size, channels) == (asked, spec_channels) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the teacher is for images of {size}×{size} with {channels} channels, but `data` gives {asked}×{asked} with {spec_channels}"
    )))
}
