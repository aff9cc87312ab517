//! Files that a run reads.

use dsno_model::{TeacherArchitecture, TeacherDescription};

use super::{Need, need};
use crate::experiment::{Experiment, Features, Load, Resolved, TeacherSource, Train};
use crate::failure::sentence;
use crate::home::Home;
use crate::model;
use crate::plan::Plan;

/// Data files up to this size are read and digested; larger ones are only looked for.
const DIGEST_LIMIT_BYTES: u64 = 256 << 20;

/// Looks for the teacher and gives its architecture if it is known.
pub(super) fn teacher(
    experiment: &Experiment,
    home: &Home,
    needs: &mut Vec<Need>,
) -> Option<TeacherArchitecture> {
    match &experiment.teacher {
        TeacherSource::Train(Train {
            architecture,
            recipe,
            ..
        }) => Some(TeacherArchitecture::Unet {
            architecture: architecture.clone(),
            prediction: recipe.prediction,
        }),
        TeacherSource::Load(Load { path }) => {
            let folder = home.resolve(path);
            let missing: Vec<_> = [model::CARD, model::WEIGHTS]
                .into_iter()
                .filter(|file| !folder.join(file).is_file())
                .collect();
            if missing.is_empty() {
                return match TeacherDescription::read(&folder) {
                    Ok(teacher) => Some(teacher.architecture),
                    Err(error) => {
                        let remedy =
                            "restore the folder or give another with `--set teacher.path=DIR`";
                        need(needs, "teacher", sentence(&error), remedy.to_owned());
                        None
                    }
                };
            }
            let problem = format!("{} lacks {}", folder.display(), missing.join(" and "));
            let remedy = "train one, for example with `dsno experiment fashion-teacher`, or give a \
                          model folder with `--set teacher.path=DIR`";
            need(needs, "teacher", problem, remedy.to_owned());
            None
        }
        TeacherSource::Import(import) => {
            let source = import.source(home);
            let checked = source.check();
            let is_there = checked.is_ok();
            let place_it = format!(
                "place the published checkpoint ({}) there, or give its path with `--set teacher.path=FILE`",
                import.format
            );
            if let Err(failure) = checked {
                need(needs, "teacher", failure.to_string(), place_it.clone());
            }
            match import.describe(home) {
                Ok(teacher) => Some(teacher.architecture),
                Err(failure) => {
                    if is_there {
                        need(needs, "teacher", failure.to_string(), place_it);
                    }
                    None
                }
            }
        }
    }
}

pub(super) fn data(experiment: &Experiment, plan: &Plan, home: &Home, needs: &mut Vec<Need>) {
    let root = home.resolve(&experiment.data.root);
    let what = format!("images of `{}`", plan.spec.name);
    let missing = plan.spec.missing_files(&root);
    let remedy = format!(
        "{}; another folder is `--set data.root=DIR`",
        plan.spec.obtain
    );
    if let Some(first) = missing.first() {
        let more = match missing.len() {
            1 => String::new(),
            n => format!(", nor {} more", n - 1),
        };
        need(
            needs,
            what,
            format!("{} is not there{more}", first.display()),
            remedy,
        );
        return;
    }
    let bytes: u64 = plan.spec.files.iter().map(|file| file.bytes).sum();
    if bytes <= DIGEST_LIMIT_BYTES
        && let Err(error) = plan.spec.verify(&root)
    {
        need(needs, what, sentence(&error), remedy);
    }
}

pub(super) fn features(experiment: &Experiment, home: &Home, needs: &mut Vec<Need>) {
    let Some(settings) = &experiment.evaluate else {
        return;
    };
    match &settings.features {
        Features::Pixels { .. } => {}
        Features::Classifier { path } => {
            let folder = home.resolve(path);
            if !folder.is_dir() {
                let problem = format!("{} is not there", folder.display());
                let remedy =
                    "restore the folder, or set `evaluate.features={kind=\"pixels\",size=4}`";
                need(needs, "feature network", problem, remedy.to_owned());
            }
        }
        Features::Inception { weights, reference } => {
            let files = [
                ("Inception weights", weights),
                ("reference statistics", reference),
            ];
            for (what, path) in files {
                let file = home.resolve(path);
                if !file.is_file() {
                    let remedy = format!("place the file there, as {path}");
                    need(
                        needs,
                        what,
                        format!("{} is not there", file.display()),
                        remedy,
                    );
                }
            }
            let remedy = "set `evaluate.features={kind=\"pixels\",size=4}` to measure in pixels";
            need(
                needs,
                "feature network",
                "this version computes no Inception features".to_owned(),
                remedy.to_owned(),
            );
        }
    }
}

/// A loss that compares features needs the network that makes them.
pub(super) fn losses(resolved: &Resolved, home: &Home, needs: &mut Vec<Need>) {
    for student in &resolved.students {
        let Some(perceptual) = &student.distill.perceptual else {
            continue;
        };
        let file = home.resolve(perceptual.weights());
        if !file.is_file() {
            let problem = format!("{} is not there", file.display());
            let remedy = "place the weights of VGG-16 there".to_owned();
            need(needs, "network of the loss", problem, remedy);
        }
        need(
            needs,
            "perceptual loss",
            "this version has no VGG-16 features".to_owned(),
            "train with `--set distill.distance=l1`, the paper's other choice".to_owned(),
        );
    }
}
