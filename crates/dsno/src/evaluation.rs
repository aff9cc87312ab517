//! What the program adds to [`dsno_eval::evaluation`]: files, feature extractors by name, exit codes.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_eval::evaluation::{Evaluation, EvaluationError};
use dsno_eval::{Classifier, PixelFeatures};

use crate::experiment::Features;
use crate::failure::{Failure, While, sentence};
use crate::home::Home;

/// Folder of the chunks, below the run folder.
pub(crate) const FOLDER: &str = "evaluate";
/// Where the evaluation is stored, below the run folder.
pub(crate) const FILE: &str = "evaluate/evaluation.json";

/// Reads the evaluation of a run, if it has one.
pub(crate) fn read(run: &Path) -> Option<Evaluation> {
    serde_json::from_slice(&fs::read(run.join(FILE)).ok()?).ok()
}

/// Opens the feature extractor that an experiment asks for.
pub(crate) fn open_features(
    features: &Features,
    home: &Home,
    device: &Device,
) -> Result<Box<dyn dsno_eval::Features>, Failure> {
    match features {
        Features::Classifier { path } => Ok(Box::new(classifier(&home.resolve(path), device)?)),
        Features::Pixels { size } => Ok(Box::new(PixelFeatures::new(*size))),
        Features::Inception { .. } => Err(Failure::preflight(
            "this version computes no Inception features",
        )),
    }
}

/// Opens the folder of a classifier.
///
/// # Errors
///
/// A preflight failure if there is none; a failure at run time if it is damaged.
pub(crate) fn classifier(folder: &Path, device: &Device) -> Result<Classifier, Failure> {
    if !folder.is_dir() {
        return Err(Failure::preflight(format!(
            "no feature network {}",
            folder.display()
        )));
    }
    Classifier::load(folder, device)
        .while_doing(format!("opening the feature network {}", folder.display()))
}

impl From<EvaluationError> for Failure {
    fn from(error: EvaluationError) -> Self {
        match error {
            EvaluationError::Sample { source, .. } => source.into(),
            EvaluationError::Features(_) => Self::usage(sentence(&error)),
            _ => Self::run(sentence(&error)),
        }
    }
}
