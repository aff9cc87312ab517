//! Feature extractors: the spaces in which sets of images are compared.

mod pixel;

use burn::tensor::Tensor;
use thiserror::Error;

pub use pixel::PixelFeatures;

/// A map from images to feature vectors.
///
/// A distance between sets of features belongs to their space: distances in two spaces have nothing
/// to do with each other.
///
/// # Examples
///
/// An extractor of one's own, the mean of each channel:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::{FeatureError, Features};
///
/// struct ChannelMeans;
///
/// impl Features for ChannelMeans {
///     fn space(&self) -> &str {
///         "channel means"
///     }
///     fn check(&self, _image: [usize; 3]) -> Result<(), FeatureError> {
///         Ok(()) // any size
///     }
///     fn extract(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError> {
///         Ok(images.mean_dims(&[2, 3]).flatten(1, 3))
///     }
/// }
///
/// let images = Tensor::<4>::zeros([2, 3, 8, 8], &Device::flex());
/// assert_eq!(ChannelMeans.extract(images)?.dims(), [2, 3]);
/// # Ok::<(), FeatureError>(())
/// ```
pub trait Features: Sync {
    /// Name of the feature space, for every place where a distance is shown.
    fn space(&self) -> &str;

    /// Checks that images of shape `[C, H, W]` have features.
    ///
    /// # Errors
    ///
    /// [`FeatureError`] says which shapes have.
    fn check(&self, image: [usize; 3]) -> Result<(), FeatureError>;

    /// Computes the features of a batch.
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit         |
    /// |----------|----------------|------------------------|
    /// | `images` | `[B, C, H, W]` | pixel units, `[-1, 1]` |
    /// | returned | `[B, D]`       | feature units          |
    ///
    /// # Errors
    ///
    /// Those of [`Self::check`].
    fn extract(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError>;
}

/// Why images have no features.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// Images are not of the size that the extractor was made for.
    #[error(
        "the feature network is for {}×{}×{} images, found {}×{}×{}",
        expected[0], expected[1], expected[2], found[0], found[1], found[2]
    )]
    ImageShape {
        /// Shape of an image, `[C, H, W]`.
        expected: [usize; 3],
        /// Shape that was found.
        found: [usize; 3],
    },
    /// Images cannot be averaged in equal blocks.
    #[error("the size of pixel features is {size}, expected a divisor of {height} and {width}")]
    Blocks {
        /// Height and width of the averaged image.
        size: usize,
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
    },
}
