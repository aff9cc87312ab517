//! Spaces in which sets of images are compared.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_data::ImageSet;
use dsno_eval::Classifier;

use crate::experiment::Features;
use crate::failure::{Failure, While};
use crate::home::Home;
use crate::tensor::host;

/// Turns images into features.
#[derive(Debug)]
pub(crate) enum Extractor {
    /// The hidden layer of a small classifier.
    Classifier(Box<Classifier>),
    /// The image, averaged down to this many pixels on a side.
    Pixels(usize),
}

impl Extractor {
    /// Opens what an experiment asks for.
    pub(crate) fn open(features: &Features, home: &Home, device: &Device) -> Result<Self, Failure> {
        match features {
            Features::Classifier { path } => Self::classifier(&home.resolve(path), device),
            Features::Pixels { size } => Ok(Self::Pixels(*size)),
            Features::Inception { .. } => Err(Failure::preflight(
                "this version computes no Inception features",
            )),
        }
    }

    /// Opens the folder of a classifier.
    pub(crate) fn classifier(folder: &Path, device: &Device) -> Result<Self, Failure> {
        let classifier = Classifier::load(folder, device)
            .while_doing(format!("opening the feature network {}", folder.display()))?;
        Ok(Self::Classifier(Box::new(classifier)))
    }

    /// Name of the space; distances in different spaces have nothing to do with each other.
    pub(crate) fn space(&self) -> String {
        match self {
            Self::Classifier(classifier) => classifier.space().to_owned(),
            Self::Pixels(size) => format!("pixels averaged to {size}×{size}"),
        }
    }

    /// Checks that images of this set can be compared in this space.
    pub(crate) fn check(&self, images: &ImageSet) -> Result<(), Failure> {
        let (channels, height, width) = (images.channels(), images.height(), images.width());
        match self {
            Self::Classifier(classifier) => {
                let config = classifier.config();
                let (size, expected) = (config.image_size, config.image_channels);
                if (channels, height, width) == (expected, size, size) {
                    return Ok(());
                }
                Err(Failure::usage(format!(
                    "the feature network is for {expected}×{size}×{size} images, the data set has {channels}×{height}×{width}"
                )))
            }
            Self::Pixels(size) if height % size == 0 && width % size == 0 => Ok(()),
            Self::Pixels(size) => Err(Failure::usage(format!(
                "evaluate.features.size is {size}, expected a divisor of {height} and {width}"
            ))),
        }
    }

    /// Features `[B, F]`, flat, of images `[B, C, H, W]` in `[-1, 1]`.
    pub(crate) fn features(&self, images: Tensor<4>) -> Result<Vec<f32>, Failure> {
        match self {
            Self::Classifier(classifier) => {
                let features = classifier
                    .features(images)
                    .while_doing("computing features")?;
                host(&features)
            }
            Self::Pixels(size) => {
                let [b, c, h, w] = images.dims();
                let blocks = images.reshape([b * c, *size, h / size, *size, w / size]);
                host(&blocks.mean_dim(4).mean_dim(2))
            }
        }
    }
}
