//! One side of a comparison, whatever form it comes in.

use std::fmt;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_data::ImageSet;
use dsno_eval::metric::{FeatureSet, MetricError};
use dsno_eval::{Classifier, FeatureStatistics, Features, NotFloat};
use dsno_model::batches;

use crate::failure::{Failure, While};

/// Images per forward pass.
pub(super) const BATCH: usize = 250;

/// One side of the comparison.
pub(super) enum Side {
    Statistics(FeatureStatistics),
    /// Single-precision features: their number in a row, and the rows.
    Rows(usize, Vec<f32>),
    Images(Images),
}

/// Images as bytes, or as the values that a sampler wrote.
pub(super) enum Images {
    Bytes(ImageSet),
    /// Channels, height and width, and the values `[N, C, H, W]`.
    Values([usize; 3], Vec<f32>),
}

impl Images {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(images) => images.len(),
            Self::Values(shape, values) => values.len() / shape.iter().product::<usize>(),
        }
    }

    /// Channels, height and width.
    fn shape(&self) -> [usize; 3] {
        match self {
            Self::Bytes(images) => [images.channels(), images.height(), images.width()],
            Self::Values(shape, _) => *shape,
        }
    }

    /// The images `range` as `[n, C, H, W]`.
    pub(super) fn batch(&self, range: std::ops::Range<usize>, device: &Device) -> Tensor<4> {
        match self {
            Self::Bytes(images) => images.batch(&range.collect::<Vec<_>>(), device),
            Self::Values([c, h, w], values) => {
                let image = c * h * w;
                let part = values[range.start * image..range.end * image].to_vec();
                Tensor::from_data(TensorData::new(part, [range.len(), *c, *h, *w]), device)
            }
        }
    }
}

impl fmt::Display for Side {
    /// What it holds and how many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statistics(known) => match known.count() {
                Some(count) => write!(f, "{count} rows of {} features", known.dim()),
                None => write!(f, "statistics of {} features, count unknown", known.dim()),
            },
            Self::Rows(dim, rows) => write!(f, "{} rows of {dim} features", rows.len() / dim),
            Self::Images(images) => write!(f, "{} images", images.len()),
        }
    }
}

impl Side {
    /// Whether its features have to be computed.
    pub(super) fn is_images(&self) -> bool {
        matches!(self, Self::Images(_))
    }

    /// The features of this side.
    ///
    /// # Errors
    ///
    /// A usage failure if it holds images that have no features.
    pub(super) fn feature_set<'a>(
        &'a self,
        path: &Path,
        features: Option<&'a Classifier>,
        device: &'a Device,
    ) -> Result<FeatureSet<'a>, Failure> {
        match self {
            Self::Statistics(known) => Ok(FeatureSet::from_statistics(known.clone())),
            Self::Rows(dim, rows) => Ok(FeatureSet::from_parts(|visit| visit(*dim, rows))),
            Self::Images(images) => {
                let Some(features) = features else {
                    return Err(Failure::usage(format!(
                        "{} holds images; give a feature network with --features DIR",
                        path.display()
                    )));
                };
                features.check(images.shape()).or_usage(path.display())?;
                Ok(FeatureSet::from_parts(move |visit| {
                    for range in batches::ranges(images.len(), BATCH) {
                        let rows = features.extract(images.batch(range, device))?;
                        visit(rows.dims()[1], &values(rows)?)?;
                    }
                    Ok(())
                }))
            }
        }
    }
}

fn values(rows: Tensor<2>) -> Result<Vec<f32>, MetricError> {
    let read = rows.into_data().try_into_vec_as();
    read.map_err(|error| {
        MetricError::NotFloat(NotFloat {
            found: error.to_string(),
        })
    })
}
