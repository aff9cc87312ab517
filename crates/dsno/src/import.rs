//! Weights of another program become a model folder.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_ode::{NoiseSchedule, Prediction};
use dsno_operator::Architecture;
use dsno_operator::weights::read_safetensors;
use dsno_train::Teacher;
use serde::Deserialize;

use crate::failure::{Failure, While};
use crate::model::IMPORT_FORMATS;

/// Formats of other programs that later versions will read.
const FORMATS_TO_COME: [&str; 5] = [
    "dsno-pytorch",
    "flax-pd",
    "diffusers",
    "guided-diffusion",
    "edm",
];

/// A teacher's weights and what they mean.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a Path,
    pub(crate) format: &'a str,
    pub(crate) architecture: &'a Architecture,
    pub(crate) schedule: NoiseSchedule,
    pub(crate) prediction: Prediction,
}

/// The file given as `--arch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    architecture: Architecture,
    schedule: NoiseSchedule,
    prediction: Prediction,
}

impl Source<'_> {
    /// Reads the weights, fits them to the architecture, and writes the model folder.
    ///
    /// # Errors
    ///
    /// A usage failure for an unknown format; a failure at run time if the weights do not fit, with
    /// every difference.
    pub(crate) fn import(&self, out: &Path, device: &Device) -> Result<(), Failure> {
        check_format(self.format)?;
        let place = format!("importing {}", self.file.display());
        let weights = read_safetensors(self.file).while_doing(&place)?;
        let network = self.architecture.init(0, device).or_usage("architecture")?;
        let network = network.with_weights(weights).while_doing(&place)?;
        let teacher = Teacher {
            network,
            architecture: self.architecture.clone(),
            schedule: self.schedule.clone(),
            prediction: self.prediction,
            run: String::new(),
        };
        fs::create_dir_all(out).while_doing(format!("cannot create {}", out.display()))?;
        teacher
            .save(out)
            .while_doing(format!("writing {}", out.display()))
    }
}

/// Imports what `dsno import` was given.
pub(crate) fn from_files(
    file: &Path,
    format: &str,
    description: &Path,
    out: &Path,
    device: &Device,
) -> Result<(), Failure> {
    check_format(format)?;
    if !file.is_file() {
        return Err(Failure::preflight(format!("no file {}", file.display())));
    }
    let place = description.display();
    let text = fs::read_to_string(description).or_preflight(format!("cannot read {place}"))?;
    let description: Description = toml::from_str(&text)
        .map_err(|error| Failure::usage(format!("{place}: {}", error.message())))?;
    description.architecture.validate().or_usage(place)?;
    let source = Source {
        file,
        format,
        architecture: &description.architecture,
        schedule: description.schedule,
        prediction: description.prediction,
    };
    source.import(out, device)
}

fn check_format(format: &str) -> Result<(), Failure> {
    if IMPORT_FORMATS.contains(&format) {
        return Ok(());
    }
    let readable = IMPORT_FORMATS.join(" or ");
    Err(Failure::usage(if FORMATS_TO_COME.contains(&format) {
        format!("this version does not read `{format}` yet, only {readable}")
    } else {
        format!("unknown format `{format}`, expected {readable}")
    }))
}
