//! The weights themselves, strict in both directions.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dsno_checkpoint::{Checkpoint, CheckpointFormat, KeyMapping, StateDict, Weights};
use dsno_operator::UNetConfig;
use dsno_operator::interop::{ImportError, dsno_pytorch, progressive_distillation};

use super::{Format, Source};
use crate::failure::{Failure, While, sentence};
use crate::model::Description;

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
    let file = open(source)?;
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
    let is_authors = || file.names().any(|name| name.contains("all_modules."));
    match source.format {
        Format::FlaxPd => Some(progressive_distillation::read(file, set, architecture)),
        Format::Safetensors if !is_authors() => None,
        _ => Some(dsno_pytorch::read(file, set, architecture)),
    }
}

fn open(source: &Source) -> Result<Checkpoint, Failure> {
    let path = weight_file(source)?;
    let format = match source.format {
        Format::FlaxPd => CheckpointFormat::Flax,
        Format::Safetensors => CheckpointFormat::Safetensors,
        Format::DsnoPytorch | Format::GuidedDiffusion => {
            container(&path).unwrap_or(CheckpointFormat::Torch)
        }
        Format::Diffusers | Format::Edm => {
            container(&path).unwrap_or(CheckpointFormat::Safetensors)
        }
    };
    Checkpoint::open(&path, format).while_doing(format!("importing {}", path.display()))
}

/// The file of weights: the one given, or that of a diffusers folder.
pub(super) fn weight_file(source: &Source) -> Result<PathBuf, Failure> {
    if !source.path.is_dir() {
        return Ok(source.path.clone());
    }
    let model = "diffusion_pytorch_model";
    let folders = [source.path.clone(), source.path.join("unet")];
    let mut files = ["safetensors", "bin"].iter().flat_map(|ending| {
        folders
            .iter()
            .map(move |f| f.join(format!("{model}.{ending}")))
    });
    files.find(|file| file.is_file()).ok_or_else(|| {
        Failure::preflight(format!(
            "{} has no {model}.safetensors",
            source.path.display()
        ))
    })
}

/// How a file holds its tensors, by its first bytes.
fn container(path: &Path) -> Option<CheckpointFormat> {
    let mut start = [0; 9];
    File::open(path).ok()?.read_exact(&mut start).ok()?;
    match start {
        // Behind the length of its header comes the header, an object.
        [.., b'{'] => Some(CheckpointFormat::Safetensors),
        [b'P', b'K', ..] | [0x80, ..] => Some(CheckpointFormat::Torch),
        _ => None,
    }
}
