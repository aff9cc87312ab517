//! A small classifier whose features give a data set its own Fréchet distance.

mod config;
mod error;
mod file;
mod labelled;
mod network;
mod random;
mod training;

use burn::tensor::{Device, Tensor};

pub use config::ClassifierConfig;
pub use error::ClassifierError;
pub use labelled::LabelledImages;
pub use training::{ClassifierTraining, EpochReport};

use network::Network;

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
/// A distance in these features is named after [`space`](Self::space), never 'FID'.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::{Classifier, ClassifierConfig};
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
/// assert_eq!(classifier.features(images)?.dims(), [2, 64]);
/// # Ok::<(), dsno_eval::ClassifierError>(())
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
        let network = random::network(&config, seed, device);
        Ok(Self {
            space: space.to_owned(),
            config,
            network,
        })
    }

    /// Name of the feature space, for every place where a distance is shown.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Gives the standardised features of a batch.
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit                                        |
    /// |----------|----------------|-------------------------------------------------------|
    /// | `images` | `[B, C, H, W]` | pixel units, `[-1, 1]`                                |
    /// | returned | `[B, F]`       | standard deviations of the training images' features  |
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::ImageShape`] if the images are not of the configured size.
    pub fn features(&self, images: Tensor<4>) -> Result<Tensor<2>, ClassifierError> {
        Ok(self.network.standardise(self.hidden(images)?))
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
    /// * [`ClassifierError::ImageShape`] if the images are not of the configured size.
    pub fn logits(&self, images: Tensor<4>) -> Result<Tensor<2>, ClassifierError> {
        Ok(self.network.logits(self.hidden(images)?))
    }

    fn hidden(&self, images: Tensor<4>) -> Result<Tensor<2>, ClassifierError> {
        let (size, found) = (self.config.image_size, images.dims());
        let expected = [self.config.image_channels, size, size];
        if found[1..] != expected {
            return Err(ClassifierError::ImageShape { expected, found });
        }
        Ok(self.network.hidden(images))
    }
}
