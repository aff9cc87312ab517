//! What can go wrong with a classifier, its files and its training.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong with a classifier, its files and its training.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// A key of the configuration or of the training is out of range.
    #[error("{key} is {found}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// Values that are possible.
        expected: &'static str,
    },
    /// Images are not of the size that the classifier was made for.
    #[error(transparent)]
    Features(#[from] crate::FeatureError),
    /// The number of pixels does not fit the number of labels, or there are no images.
    #[error("{labels} images of {pixels_each} pixels are labelled, found {found} pixels")]
    ImageCount {
        /// Labels given.
        labels: usize,
        /// Pixels in one image.
        pixels_each: usize,
        /// Pixels given.
        found: usize,
    },
    /// A label names no class.
    #[error("image {image} has label {label}, there are {classes} classes")]
    Label {
        /// Position of the image, from 0.
        image: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The loss stopped being a number.
    #[error("the loss is not finite in epoch {epoch}, batch {batch}; lower the learning rate")]
    NonFinite {
        /// Epoch, from 0.
        epoch: usize,
        /// Batch in the epoch, from 0.
        batch: usize,
    },
    /// A tensor could not be brought to the host as `f32`.
    #[error(transparent)]
    NotFloat(#[from] crate::NotFloat),
    /// The features of the training images have no usable mean and deviation.
    #[error("the features of the training images cannot be standardised")]
    Statistics {
        /// Why.
        source: crate::StatisticsError,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] dsno_checkpoint::atomic::WriteError),
    /// The folder cannot be made.
    #[error("cannot create {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The sidecar is not valid.
    #[error("not a classifier's description: {}", path.display())]
    Sidecar {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// The weights are not the ones that the sidecar belongs to.
    #[error("sha256 of the weights is {found}, the description says {expected}: {}", path.display())]
    Digest {
        /// The file of weights.
        path: PathBuf,
        /// Digest in the sidecar.
        expected: String,
        /// Digest of the file.
        found: String,
    },
    /// The weights are not in safetensors format.
    #[error(transparent)]
    Checkpoint(#[from] dsno_checkpoint::CheckpointError),
    /// The weights do not fit the configuration; all differences are listed.
    #[error(
        "the weights do not fit the configuration (missing {missing:?}, unexpected \
         {unexpected:?}, of another shape or type {mismatched:?}): {}",
        path.display()
    )]
    Keys {
        /// The file of weights.
        path: PathBuf,
        /// Parameters that the file lacks.
        missing: Vec<String>,
        /// Tensors that no parameter takes.
        unexpected: Vec<String>,
        /// Tensors of another shape or type than their parameter.
        mismatched: Vec<String>,
    },
}
