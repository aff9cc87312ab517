//! What a run needs against what is there, before anything starts or is written.

mod machine;

use std::fmt::Write;
use std::path::Path;

use dsno_operator::Architecture;
use dsno_train::Precision;

use crate::experiment::{Experiment, Features, Import, Load, Resolved, TeacherSource, Train};
use crate::failure::{Failure, sentence};
use crate::folder::RunFolder;
use crate::home::Home;
use crate::model;
use crate::plan::{Plan, name};
use crate::stage::Ledger;

/// Data files up to this size are read and digested; larger ones are only looked for.
const DIGEST_LIMIT_BYTES: u64 = 256 << 20;
/// Copies of the weights that training keeps: weights, gradients, two moments of Adam, the average.
const TRAINING_COPIES: u64 = 5;
/// Copies that end up on the disk: two checkpoints of four copies, and the result.
const STORED_COPIES: u64 = 9;

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
    let teacher_done = ledger.is_done(name::TEACHER, &plan.teacher);
    let architecture = if teacher_done {
        model::architecture_of(&folder.join(model::TEACHER_FOLDER)).ok()
    } else {
        teacher(experiment, home, &mut needs)
    };
    let trains = matches!(experiment.teacher, TeacherSource::Train(_)) && !teacher_done;
    if trains || experiment.evaluate.is_some() {
        data(experiment, plan, home, &mut needs);
    }
    features(experiment, home, &mut needs);
    losses(resolved, home, &mut needs);
    if let Some(architecture) = &architecture {
        fits(architecture, experiment, plan)?;
    }
    space(resolved, plan, architecture.as_ref(), folder, &mut needs);
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

/// Looks for the teacher and gives its architecture if it is known.
fn teacher(experiment: &Experiment, home: &Home, needs: &mut Vec<Need>) -> Option<Architecture> {
    match &experiment.teacher {
        TeacherSource::Train(Train { architecture, .. }) => Some(architecture.clone()),
        TeacherSource::Load(Load { path }) => {
            let folder = home.resolve(path);
            let missing: Vec<_> = [model::CARD, model::WEIGHTS]
                .into_iter()
                .filter(|file| !folder.join(file).is_file())
                .collect();
            if missing.is_empty() {
                return match model::architecture_of(&folder) {
                    Ok(architecture) => Some(architecture),
                    Err(failure) => {
                        let remedy =
                            "restore the folder or give another with `--set teacher.path=DIR`";
                        need(needs, "teacher", failure.to_string(), remedy.to_owned());
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
        TeacherSource::Import(Import {
            path,
            format,
            architecture,
            ..
        }) => {
            let file = home.resolve(path);
            if !file.is_file() {
                let remedy = format!(
                    "place the published checkpoint ({format}) there, or give its path with `--set teacher.path=FILE`"
                );
                need(
                    needs,
                    "teacher",
                    format!("{} is not there", file.display()),
                    remedy,
                );
            }
            if !model::IMPORT_FORMATS.contains(&format.as_str()) {
                let remedy = format!(
                    "convert it to {}, or use a version of dsno that reads `{format}`",
                    model::IMPORT_FORMATS.join(" or ")
                );
                need(
                    needs,
                    "import",
                    format!("this version does not read `{format}`"),
                    remedy,
                );
            }
            Some(architecture.clone())
        }
    }
}

fn data(experiment: &Experiment, plan: &Plan, home: &Home, needs: &mut Vec<Need>) {
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

fn features(experiment: &Experiment, home: &Home, needs: &mut Vec<Need>) {
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
fn losses(resolved: &Resolved, home: &Home, needs: &mut Vec<Need>) {
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

/// The teacher must be for images of this size.
fn fits(architecture: &Architecture, experiment: &Experiment, plan: &Plan) -> Result<(), Failure> {
    let (size, channels) = (architecture.image_size, architecture.image_channels);
    let (asked, spec_channels) = (experiment.data.image_size, plan.spec.channels);
    if (size, channels) == (asked, spec_channels) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the teacher is for images of {size}×{size} with {channels} channels, but `data` gives {asked}×{asked} with {spec_channels}"
    )))
}

fn space(
    resolved: &Resolved,
    plan: &Plan,
    architecture: Option<&Architecture>,
    folder: &RunFolder,
    needs: &mut Vec<Need>,
) {
    let experiment = &resolved.experiment;
    let pixels = (plan.spec.channels * experiment.data.image_size.pow(2)) as u64;
    let parameters = architecture
        .and_then(|a| a.parameter_count().ok())
        .unwrap_or_default() as u64;
    let store = experiment.collect.as_ref().map_or(0, |recipe| {
        let bytes = match recipe.precision {
            Precision::F16 => 2,
            Precision::F32 => 4,
        };
        recipe.trajectories * recipe.record.len() as u64 * pixels * bytes
    });
    let models = 1 + resolved.students.len() as u64;
    let kept = experiment.evaluate.as_ref().map_or(0, |settings| {
        (settings.paired * settings.seeds.len()) as u64 * pixels * 4
    });
    let disk = store + kept + parameters * 4 * STORED_COPIES * models;
    if let Some(free) = machine::free_disk_bytes(folder.path())
        && free < disk
    {
        let problem = format!("about {} needed, {} free", bytes(disk), bytes(free));
        let remedy =
            "free some space, give another disk with `--out DIR`, or lower `collect.trajectories`";
        need(needs, "disk", problem, remedy.to_owned());
    }
    if let Some(problem) = machine::not_writable(folder.path()) {
        let remedy = "give a folder that can be written with `--out DIR`";
        need(needs, "run folder", problem, remedy.to_owned());
    }
    let memory = parameters * 4 * TRAINING_COPIES;
    if let Some(free) = machine::free_memory_bytes()
        && free < memory
    {
        let problem = format!(
            "at least {} needed, {} available",
            bytes(memory),
            bytes(free)
        );
        need(
            needs,
            "memory",
            problem,
            "use a machine with more memory".to_owned(),
        );
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// The nearest folder at or above `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|p| !p.as_os_str().is_empty() && p.exists())
        .unwrap_or(Path::new("."))
}
