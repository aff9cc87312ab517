//! What a file of weights should hold: `--arch`, or the files beside it.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::{CheckpointFormat, FileKind, python_json};
use dsno_model::{StudentDescription, TeacherDescription};
use dsno_ode::{CosineSchedule, Prediction};
use dsno_operator::family::diffusers::{DiffusersConfig, DiffusersConfigError};
use dsno_operator::interop::dsno_pytorch::Settings;
use dsno_operator::{Family, NetworkConfig, OperatorConfig};
use toml::{Table, Value};

use super::folder::{self, CONFIG, SCHEDULER};
use super::{Format, notice, weights};
use crate::console::note;
use crate::failure::{Failure, While};
use crate::model::Description;

/// What the command line says of a network besides its files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given<'a> {
    /// `--arch`; without it, the files beside the weights say what a diffusers model is.
    pub(crate) file: Option<&'a Path>,
    /// Times, which make the model a student.
    pub(crate) times: Option<&'a [f64]>,
    /// Height and width of the images, instead of the model's own.
    pub(crate) image_size: Option<usize>,
}

/// Reads the description of a model of this format from `file`, or from the files beside the weights.
///
/// # Errors
///
/// As [`describe_given`].
pub(crate) fn describe(
    format: Format,
    file: Option<&Path>,
    weights: &Path,
    times: Option<&[f64]>,
) -> Result<Description, Failure> {
    let given = Given {
        file,
        times,
        ..Given::default()
    };
    describe_given(format, weights, &given)
}

/// Reads the description of a model of this format.
///
/// # Errors
///
/// A preflight failure if the file is not there; a usage failure that says what is wrong in it.
pub(crate) fn describe_given(
    format: Format,
    weights: &Path,
    given: &Given<'_>,
) -> Result<Description, Failure> {
    if given.times.is_some() && format.family() != Family::OWN {
        return Err(Failure::usage(format!(
            "--times are those of a student, and files of format `{format}` hold teachers"
        )));
    }
    let mut description = read(format, weights, given)?;
    if let Some(size) = given.image_size {
        let network = match &mut description {
            Description::Teacher(teacher) => &mut teacher.network,
            Description::Student(student) => &mut student.operator.network,
        };
        *network = network.with_image_size(size).or_usage("--image-size")?;
    }
    Ok(description)
}

fn read(format: Format, weights: &Path, given: &Given<'_>) -> Result<Description, Failure> {
    let Some(file) = given.file else {
        if format == Format::Diffusers {
            return of_folder(weights, given.image_size);
        }
        return Err(Failure::usage(format!(
            "files of format `{format}` do not say what network they hold; describe it with --arch"
        )));
    };
    let place = file.display().to_string();
    let text = text_of(file)?;
    if text.trim_start().starts_with('{') {
        return match format {
            Format::Diffusers => of_config(file, &text, given.image_size),
            Format::DsnoPytorch | Format::Safetensors => of_settings(&place, &text, given.times),
            _ => Err(Failure::usage(format!(
                "{place} is JSON, expected TOML for format `{format}`"
            ))),
        };
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{place}: {error}"));
    let table = text.parse::<Table>();
    let mut table = table.map_err(|error| wrong(&error.to_string().trim().replace('\n', " ")))?;
    if let Some(times) = given.times {
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

/// The text of a file without a byte-order mark.
fn text_of(file: &Path) -> Result<String, Failure> {
    let place = file.display();
    if let Some(kind @ (FileKind::LfsPointer | FileKind::Html)) = FileKind::of_file(file) {
        return Err(Failure::usage(format!("{place} is {kind}")));
    }
    let text = fs::read_to_string(file).or_preflight(format!("cannot read {place}"))?;
    let text = text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text);
    Ok(text)
}

/// The DSNO authors' settings as JSON.
fn of_settings(place: &str, text: &str, times: Option<&[f64]>) -> Result<Description, Failure> {
    let settings = serde_json::from_str(&python_json::strict(text));
    let settings: Settings = settings.or_usage(place)?;
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
        note!(
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

/// A diffusers model by the files of its folder, or of the folder of its weights.
fn of_folder(weights: &Path, image_size: Option<usize>) -> Result<Description, Failure> {
    let folder = if weights.is_dir() {
        folder::resolved(weights)?
    } else {
        folder::parent(weights).to_owned()
    };
    let place = folder.display();
    let missing = || Failure::preflight(format!("no {CONFIG} in {place}; describe it with --arch"));
    let found = folder::config(&folder).ok_or_else(missing)?;
    of_config(&found, &text_of(&found)?, image_size)
}

/// A diffusers model by its `config.json` and the scheduler's beside it.
fn of_config(config: &Path, text: &str, image_size: Option<usize>) -> Result<Description, Failure> {
    let place = config.display().to_string();
    let scheduler = folder::scheduler(config).ok_or_else(|| {
        Failure::preflight(format!(
            "no {SCHEDULER} beside {place}, nor in a folder `scheduler`"
        ))
    })?;
    let process = text_of(&scheduler)?;
    let read = DiffusersConfig::from_json_with(text, &process, image_size);
    let (architecture, notices) = read.map_err(|error| {
        let remedy = match error {
            DiffusersConfigError::NoSampleSize { .. } => "; give it with --image-size",
            _ => "",
        };
        Failure::usage(format!(
            "{place}: {}{remedy}",
            crate::failure::sentence(&error)
        ))
    })?;
    for found in &notices {
        notice::tell(config, &notice::diffusers(found));
    }
    let network = NetworkConfig::new(architecture).or_usage(&place)?;
    let teacher = TeacherDescription::new(network, None).or_usage(&place)?;
    Ok(Description::Teacher(teacher))
}

/// The files that an import reads, as far as they are there.
pub(crate) fn files(format: Format, path: &Path) -> Vec<PathBuf> {
    let source = super::Source {
        path: path.to_owned(),
        format,
        weights: None,
    };
    let mut files = weights::paths(&source);
    if format == Format::Diffusers
        && let Some(config) = config_of(path)
    {
        files.extend(folder::scheduler(&config));
        files.push(config);
    }
    files
}

/// The `config.json` that belongs to a folder or to a file of weights.
fn config_of(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return folder::config(&folder::resolved(path).ok()?);
    }
    folder::config(folder::parent(path))
}

/// The format of what nothing else is said of: diffusers, if it has the files or is one of them.
pub(crate) fn detect(path: &Path) -> Option<Format> {
    let is_weights = path.is_file() && CheckpointFormat::of_file(path).is_some();
    let config = if path.is_dir() || is_weights {
        config_of(path)?
    } else {
        path.to_owned()
    };
    let text = fs::read_to_string(config).ok()?;
    let value: serde_json::Value = serde_json::from_str(&python_json::strict(&text)).ok()?;
    value.get("_class_name").map(|_| Format::Diffusers)
}
