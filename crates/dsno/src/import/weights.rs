//! The weights themselves, strict in both directions.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dsno_checkpoint::Weights;
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_checkpoint::{StateDict, WeightError};
use dsno_model::TeacherArchitecture;
use dsno_operator::UNetConfig;
use dsno_operator::exchange::{ImportError, authors, distillation};
use dsno_operator::foreign::ddpm::KeyMapping;

use super::{Format, Source};
use crate::failure::{Failure, While, sentence};
use crate::model::Description;

/// Weights that fit their description.
pub(super) enum Found {
    /// Names or layouts had to change.
    Converted(StateDict),
    /// The file is what the model folder will hold.
    AsStored(Checkpoint),
    /// It is, but for names and axes of length one.
    Placed(Checkpoint, Vec<KeyMapping>),
}

impl Found {
    pub(super) fn weights(&self) -> Weights<'_> {
        match self {
            Self::Converted(weights) => Weights::Named(weights),
            Self::AsStored(file) => Weights::Stored(file),
            Self::Placed(file, places) => Weights::Placed(file, places),
        }
    }
}

/// Reads the weights that belong to a description.
pub(super) fn read(
    source: &Source,
    description: &Description,
    device: &Device,
) -> Result<Found, Failure> {
    let place = format!("importing {}", source.path.display());
    let file = open(source)?;
    match description {
        Description::Student(student) => own(source, file, &student.architecture, device, &place),
        Description::Teacher(teacher) => match &teacher.architecture {
            TeacherArchitecture::Unet { architecture, .. } => {
                own(source, file, architecture, device, &place)
            }
            TeacherArchitecture::Diffusers(architecture) => {
                let places = architecture.find(&file).while_doing(&place)?;
                Ok(Found::Placed(file, places))
            }
            TeacherArchitecture::Guided(architecture) => {
                let places = architecture.find(&file).while_doing(&place)?;
                Ok(Found::Placed(file, places))
            }
            foreign => {
                drop(foreign.load(&file, device).while_doing(&place)?);
                Ok(Found::AsStored(file))
            }
        },
    }
}

/// Weights of our own network.
fn own(
    source: &Source,
    file: Checkpoint,
    architecture: &UNetConfig,
    device: &Device,
    place: &str,
) -> Result<Found, Failure> {
    let set = source.weights.unwrap_or_default();
    let is_theirs = || file.names().any(|name| name.contains("all_modules."));
    let read = match source.format {
        Format::FlaxPd => distillation::read(&file, set.into(), architecture),
        Format::DsnoPytorch => authors::read(&file, set.into(), architecture),
        _ if is_theirs() => authors::read(&file, set.into(), architecture),
        _ => {
            let each = |name: &str| Ok((name.to_owned(), file.read(name)?));
            let weights: Result<StateDict, WeightError> = file.names().map(each).collect();
            let network = architecture.init(0, device).or_usage("architecture")?;
            let fits = network.load_state_dict(weights.while_doing(place)?);
            drop(fits.while_doing(place)?);
            return Ok(Found::AsStored(file));
        }
    };
    read.map(Found::Converted).map_err(|error| {
        let text = format!("{place}: {}", sentence(&error));
        match error {
            ImportError::Architecture(_)
            | ImportError::Foreign { .. }
            | ImportError::NoSuchSet { .. } => Failure::usage(text),
            _ => Failure::run(text),
        }
    })
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
