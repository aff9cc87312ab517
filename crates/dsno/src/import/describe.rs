//! What a file of weights should hold: `--arch`, or the files beside it.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_model::{StudentDescription, TeacherDescription};
use dsno_ode::{CosineSchedule, Prediction};
use dsno_operator::family::diffusers::DiffusersConfig;
use dsno_operator::interop::dsno_pytorch::Settings;
use dsno_operator::{Family, NetworkConfig, OperatorConfig};
use toml::{Table, Value};

use super::Format;
use crate::failure::{Failure, While};
use crate::model::Description;

const CONFIG: &str = "config.json";
const SCHEDULER: &str = "scheduler_config.json";

/// Reads the description of a model of this format.
///
/// `file` is `--arch`; without it, the files beside the weights say what a diffusers model is.
/// `times` make the model a student.
///
/// # Errors
///
/// A preflight failure if the file is not there; a usage failure that says what is wrong in it.
pub(crate) fn describe(
    format: Format,
    file: Option<&Path>,
    weights: &Path,
    times: Option<&[f64]>,
) -> Result<Description, Failure> {
    if times.is_some() && format.family() != Family::OWN {
        return Err(Failure::usage(format!(
            "--times are those of a student, and files of format `{format}` hold teachers"
        )));
    }
    let Some(file) = file else {
        if format == Format::Diffusers {
            return of_folder(folder_of(weights));
        }
        return Err(Failure::usage(format!(
            "files of format `{format}` do not say what network they hold; describe it with --arch"
        )));
    };
    let place = file.display().to_string();
    let text = fs::read_to_string(file).or_preflight(format!("cannot read {place}"))?;
    if text.trim_start().starts_with('{') {
        return match format {
            Format::Diffusers => of_config(file, &text),
            Format::DsnoPytorch | Format::Safetensors => of_settings(&place, &text, times),
            _ => Err(Failure::usage(format!(
                "{place} is JSON, expected TOML for format `{format}`"
            ))),
        };
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{place}: {error}"));
    let table = text.parse::<Table>();
    let mut table = table.map_err(|error| wrong(&error.to_string().trim().replace('\n', " ")))?;
    if let Some(times) = times {
        let times = times.iter().copied().map(Value::Float).collect();
        table.insert("times".to_owned(), Value::Array(times));
    }
    let family = format.family().name;
    if table.contains_key("times") {
        let student = StudentDescription::from_table(family, table);
        return student.map(Description::Student).map_err(|e| wrong(&e));
    }
    let teacher = TeacherDescription::from_table(family, table);
    teacher.map(Description::Teacher).map_err(|e| wrong(&e))
}

/// The DSNO authors' settings as JSON.
fn of_settings(place: &str, text: &str, times: Option<&[f64]>) -> Result<Description, Failure> {
    let settings: Settings = serde_json::from_str(text).or_usage(place)?;
    let mut architecture = settings.architecture().or_usage(place)?;
    let schedule = CosineSchedule::default().into();
    let found = match times {
        Some(times) => Some(times.to_vec()),
        None => settings
            .trajectory()
            .or_usage(place)?
            .map(|trajectory| {
                if trajectory.padding.is_empty() {
                    Ok(trajectory.times)
                } else {
                    Err(Failure::usage(format!(
                        "{place}: `model.num_pad` is {}, and model folders have no padding",
                        trajectory.padding.len()
                    )))
                }
            })
            .transpose()?,
    };
    let left = settings.ignored_keys();
    if !left.is_empty() {
        eprintln!(
            "{place}: left alone, since they say nothing about the network: {}",
            left.join(", ")
        );
    }
    match found {
        Some(times) => {
            let temporal = architecture.temporal.take();
            let network = NetworkConfig::unet(architecture, Prediction::X).or_usage(place)?;
            let operator = OperatorConfig { network, temporal };
            let student = StudentDescription {
                times,
                schedule,
                operator,
            };
            student.validate().or_usage(place)?;
            Ok(Description::Student(student))
        }
        None if architecture.temporal.is_some() => Err(Failure::usage(format!(
            "{place} does not say the times of its operator (`data.t_idx`, `data.t_dim`, `data.num_steps`, `model.num_t`); give --times"
        ))),
        None => {
            let network = NetworkConfig::unet(architecture, Prediction::X).or_usage(place)?;
            Ok(Description::Teacher(TeacherDescription {
                network,
                schedule,
            }))
        }
    }
}

/// A diffusers model by the files of its folder.
fn of_folder(folder: &Path) -> Result<Description, Failure> {
    let place = folder.display().to_string();
    let missing =
        |name| Failure::preflight(format!("no {name} in {place}; describe it with --arch"));
    let found = config(folder).ok_or_else(|| missing(CONFIG))?;
    let text =
        fs::read_to_string(&found).or_preflight(format!("cannot read {}", found.display()))?;
    of_config(&found, &text)
}

/// A diffusers model by its `config.json` and the scheduler's beside it.
fn of_config(config: &Path, text: &str) -> Result<Description, Failure> {
    let place = config.display().to_string();
    let scheduler = scheduler(config).ok_or_else(|| {
        Failure::preflight(format!(
            "no {SCHEDULER} beside {place}, nor in a folder `scheduler`"
        ))
    })?;
    let process = fs::read_to_string(&scheduler)
        .or_preflight(format!("cannot read {}", scheduler.display()))?;
    let config = DiffusersConfig::from_json(text, &process).or_usage(&place)?;
    let network = NetworkConfig::new(config).or_usage(&place)?;
    let teacher = TeacherDescription::new(network, None).or_usage(&place)?;
    Ok(Description::Teacher(teacher))
}

fn config(folder: &Path) -> Option<PathBuf> {
    first_of([folder.join(CONFIG), folder.join("unet").join(CONFIG)])
}

fn scheduler(config: &Path) -> Option<PathBuf> {
    let folder = folder_of(config);
    first_of([
        folder.join(SCHEDULER),
        folder.join("scheduler").join(SCHEDULER),
        folder.join("..").join("scheduler").join(SCHEDULER),
    ])
}

fn first_of<const N: usize>(paths: [PathBuf; N]) -> Option<PathBuf> {
    paths.into_iter().find(|path| path.is_file())
}

/// The folder itself, or that of a file.
fn folder_of(path: &Path) -> &Path {
    if path.is_dir() {
        return path;
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The files that an import reads, as far as they are there.
pub(crate) fn files(format: Format, path: &Path) -> Vec<PathBuf> {
    let source = super::Source {
        path: path.to_owned(),
        format,
        weights: None,
    };
    let mut files: Vec<PathBuf> = super::weights::weight_file(&source).into_iter().collect();
    if format == Format::Diffusers {
        let config = config(folder_of(path));
        files.extend(config.as_deref().and_then(scheduler));
        files.extend(config);
    }
    files
}
