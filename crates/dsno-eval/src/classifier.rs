//! A small classifier whose features give a data set its own Fréchet distance.

mod config;
mod error;
mod file;
mod labelled;
mod network;
mod training;

use burn::tensor::{Device, Tensor};

pub use config::ClassifierConfig;
pub use error::ClassifierError;
pub use labelled::LabelledImages;
pub use training::{ClassifierTraining, EpochReport};

use network::Network;

use crate::{FeatureError, Features};

/// A trained classifier, the name of its feature space, and the features themselves.
///
/// The features are the inputs of the last hidden layer's activation, standardised over the
/// training images:
///
/// ```text
/// u        = W₁ flatten(SiLU(GroupNorm(conv(…)))) + b₁          [B, F]
/// features = (u − mean) / deviation                              per feature, training images
/// logits   = W₂ SiLU(u) + b₂                                     [B, classes]
/// ```
///
/// Taken before the activation they are linear in what the network sees, neither cut off at zero
/// nor sparse, so that a Gaussian describes them better than it would describe `SiLU(u)`. They see
/// the 4×4 map unpooled: where a sleeve sits matters. Standardising makes the distance readable:
/// moving one feature by one standard deviation of the real images adds 1.
///
/// A distance in these features is named after their [`space`](Features::space), never 'FID'.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::{Classifier, ClassifierConfig, Features};
///
/// let device = Device::flex();
/// let config = ClassifierConfig {
///     image_channels: 1,
///     image_size: 16,
///     base_channels: 8,
///     features: 64,
///     classes: 10,
/// };
/// let classifier = Classifier::untrained("untrained, 64 features", config, 0, &device)?;
/// let images = Tensor::<4>::zeros([2, 1, 16, 16], &device);
/// assert_eq!(classifier.extract(images)?.dims(), [2, 64]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Classifier {
    space: String,
    config: ClassifierConfig,
    network: Network,
}

impl Classifier {
    /// Gives a classifier with random weights, a function of `seed` alone.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::Config`] if the configuration cannot be built.
    pub fn untrained(
        space: &str,
        config: ClassifierConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ClassifierError> {
        config.validate()?;
        let network = Network::random(&config, seed, device);
        Ok(Self {
            space: space.to_owned(),
            config,
            network,
        })
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Gives the unnormalised log-probabilities of the classes.
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit           |
    /// |----------|----------------|--------------------------|
    /// | `images` | `[B, C, H, W]` | pixel units, `[-1, 1]`   |
    /// | returned | `[B, classes]` | nats, up to a constant   |
    ///
    /// # Errors
    ///
    /// * [`FeatureError::ImageShape`] if the images are not of the configured size.
    pub fn logits(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError> {
        Ok(self.network.logits(self.hidden(images)?))
    }

    fn hidden(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError> {
        let [_, c, h, w] = images.dims();
        self.check([c, h, w])?;
        Ok(self.network.hidden(images))
    }
}

/// Standardised: in standard deviations of the training images' features.
impl Features for Classifier {
    fn space(&self) -> &str {
        &self.space
    }

    fn check(&self, found: [usize; 3]) -> Result<(), FeatureError> {
        self.config.check_images(found)
    }

    fn extract(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError> {
        Ok(self.network.standardise(self.hidden(images)?))
    }
}
