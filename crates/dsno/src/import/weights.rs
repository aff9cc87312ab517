//! The weights themselves, strict in both directions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dsno_checkpoint::{
    Checkpoint, CheckpointError, CheckpointFormat, KeyMapping, StateDict, Weights,
};
use dsno_operator::UNetConfig;
use dsno_operator::interop::{ImportError, dsno_pytorch, progressive_distillation};

use super::folder::{self, WeightFiles};
use super::{Format, Source, notice, prefix};
use crate::failure::{Failure, While, sentence};
use crate::model::Description;

/// A name that each of the authors' networks has, and each of progressive distillation's.
const AUTHORS: &str = "all_modules.0.weight";
const FLAX: &str = "conv_in/kernel";

/// Weights that fit their description.
pub(super) enum Found {
    /// Names or layouts had to change.
    Converted(StateDict),
    /// The file is what the model folder will hold, but for names and axes of length one.
    Placed(Checkpoint, Vec<KeyMapping>),
}

impl Found {
    pub(super) fn weights(&self) -> Weights<'_> {
        match self {
            Self::Converted(weights) => Weights::Named(weights),
            Self::Placed(file, places) => Weights::Placed(file, places),
        }
    }
}

/// Finds the weights that belong to a description.
pub(super) fn find(source: &Source, description: &Description) -> Result<Found, Failure> {
    let place = format!("importing {}", source.path.display());
    let file = unwrapped(source, &open(source)?, description)?;
    let own = match description {
        Description::Student(student) => student.operator.as_unet(),
        Description::Teacher(teacher) => teacher.network.as_unet().map(|(own, _)| own.clone()),
    };
    if let Some(architecture) = own
        && let Some(converted) = convert(source, &file, &architecture)
    {
        return converted.map(Found::Converted).map_err(|error| {
            let text = format!("{place}: {}", sentence(&error));
            match error {
                ImportError::Architecture(_)
                | ImportError::Foreign { .. }
                | ImportError::NoSuchSet { .. } => Failure::usage(text),
                _ => Failure::run(text),
            }
        });
    }
    let places = match description {
        Description::Student(student) => student.operator.find(&file),
        Description::Teacher(teacher) => teacher.network.find(&file),
    };
    Ok(Found::Placed(file, places.while_doing(&place)?))
}

/// Our own network from a file of another program, if it is one.
fn convert(
    source: &Source,
    file: &Checkpoint,
    architecture: &UNetConfig,
) -> Option<Result<StateDict, ImportError>> {
    let set = source.weights.unwrap_or_default();
    match source.format {
        Format::FlaxPd => Some(progressive_distillation::read(file, set, architecture)),
        Format::Safetensors if !is_authors(file) => None,
        _ => Some(dsno_pytorch::read(file, set, architecture)),
    }
}

fn is_authors(file: &Checkpoint) -> bool {
    file.names().any(|name| name.contains("all_modules."))
}

/// The file under the names of the network, whatever others have put before or between them.
fn unwrapped(
    source: &Source,
    file: &Checkpoint,
    description: &Description,
) -> Result<Checkpoint, Failure> {
    let (file, removed) = file.without_wrappers();
    if !removed.is_empty() {
        let removed = removed.join("`, `");
        let text = format!("names contain `{removed}`, which is taken out");
        notice::tell(file.path(), &text);
    }
    let own = own_names(source.format, &file, description);
    let found = prefix::prefixes(&file, &own);
    if found.is_empty() || is_known(source.format, &file, &found) {
        return Ok(file);
    }
    let chosen = prefix::choose(&file, &found, source.weights)?;
    if let Some(text) = chosen.notice() {
        notice::tell(file.path(), &text);
    }
    Ok(file.sub_dict(&chosen.prefix))
}

/// Names of the network, or some that each such network has.
fn own_names(format: Format, file: &Checkpoint, description: &Description) -> Vec<String> {
    let some = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    match (format, description) {
        (Format::FlaxPd, _) => some(&[FLAX]),
        (Format::DsnoPytorch, _) => some(&[AUTHORS]),
        (Format::Safetensors, _) if is_authors(file) => some(&[AUTHORS]),
        (Format::Safetensors, _) => {
            some(&["embedding.dense_0.weight", "stem.weight", "head.weight"])
        }
        (_, Description::Teacher(teacher)) => {
            let shapes = teacher.network.weight_shapes().into_iter();
            shapes.map(|(name, _)| name).collect()
        }
        (_, Description::Student(_)) => Vec::new(),
    }
}

/// Whether the file is laid out as the reader of its format expects of a whole training.
fn is_known(format: Format, file: &Checkpoint, found: &BTreeSet<String>) -> bool {
    let layouts = [
        "",
        "module.",
        "ema.",
        "model.",
        "ema.module.",
        "model.module.",
    ];
    match format {
        Format::FlaxPd => !file.names().any(|name| name.starts_with("opt_state")),
        Format::DsnoPytorch => found
            .iter()
            .all(|prefix| layouts.contains(&prefix.as_str())),
        Format::Safetensors if is_authors(file) => found
            .iter()
            .all(|prefix| layouts.contains(&prefix.as_str())),
        _ => false,
    }
}

fn open(source: &Source) -> Result<Checkpoint, Failure> {
    let wrong = |error: CheckpointError| match error {
        // It says which file and what it is.
        CheckpointError::Other { .. } => Failure::run(sentence(&error)),
        _ => Failure::run(format!(
            "importing {}: {}",
            source.path.display(),
            sentence(&error)
        )),
    };
    let path = match weight_files(source)? {
        WeightFiles::One(path) => path,
        WeightFiles::Several(index) => {
            return Checkpoint::open_shards(&index).map_err(wrong);
        }
    };
    let usual = match source.format {
        Format::FlaxPd => CheckpointFormat::Flax,
        Format::DsnoPytorch | Format::GuidedDiffusion => CheckpointFormat::Torch,
        Format::Safetensors | Format::Diffusers | Format::Edm => CheckpointFormat::Safetensors,
    };
    let format = match source.format {
        Format::FlaxPd | Format::Safetensors => usual,
        _ => CheckpointFormat::of_file(&path).unwrap_or(usual),
    };
    Checkpoint::open(&path, format).map_err(wrong)
}

/// The file of weights: the one given, or those of a diffusers folder.
pub(super) fn weight_files(source: &Source) -> Result<WeightFiles, Failure> {
    if !source.path.is_dir() {
        return Ok(WeightFiles::One(source.path.clone()));
    }
    folder::weights(&folder::resolved(&source.path)?)
}

/// All files that hold the weights, as far as they are there.
pub(super) fn paths(source: &Source) -> Vec<PathBuf> {
    weight_files(source).map_or_else(|_| Vec::new(), |files| files.paths())
}
