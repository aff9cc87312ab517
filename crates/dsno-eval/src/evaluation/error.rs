//! Why samplers could not be measured.

use std::path::PathBuf;

use dsno_checkpoint::atomic::WriteError;
use dsno_checkpoint::npy::NpyError;
use dsno_model::SampleError;
use thiserror::Error;

use crate::metric::MetricError;
use crate::{FeatureError, NotFloat};

/// Why samplers could not be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The observer asked to stop; the same call continues where it left off.
    #[error("stopped at the caller's request")]
    Stopped,
    /// A sampler made no images.
    #[error("sampling with {name}")]
    Sample {
        /// The sampler.
        name: String,
        /// Why.
        source: SampleError,
    },
    /// Images have no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A metric has no value.
    #[error("measuring {metric} of {name}")]
    Metric {
        /// The metric.
        metric: &'static str,
        /// The sampler.
        name: String,
        /// Why.
        source: Box<MetricError>,
    },
    /// A tensor cannot be brought to the host.
    #[error(transparent)]
    NotFloat(#[from] NotFloat),
    /// A chunk cannot be stored or read.
    #[error("chunks of the evaluation")]
    Chunk(#[from] NpyError),
    /// A file cannot be put in place.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The system refuses a folder.
    #[error("cannot use the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
