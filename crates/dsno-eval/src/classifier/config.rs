//! The shape of a classifier.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::ClassifierError;
use crate::FeatureError;

/// Side of the feature map that the last convolution leaves.
pub(super) const LAST_SIZE: usize = 4;

/// Groups of every group normalisation.
pub(super) const GROUPS: usize = 8;

/// Describes a classifier: image format, width, features and classes. Every key is required.
///
/// A 3×3 convolution of `base_channels` at full size is followed by 3×3 convolutions of stride 2
/// and `2 · base_channels` until the map is 4×4, each with group normalisation (8 groups) and SiLU;
/// then come the hidden layer of `features` and the classes.
///
/// # Examples
///
/// ```
/// use dsno_eval::ClassifierConfig;
///
/// let config = ClassifierConfig {
///     image_channels: 3,
///     image_size: 30,
///     base_channels: 32,
///     features: 64,
///     classes: 10,
/// };
/// let error = config.validate().unwrap_err();
/// assert!(error.to_string().contains("image_size is 30"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels of an image: 1 for grey, 3 for colour.
    pub image_channels: usize,
    /// Side of the square images in pixels: 4 times a power of two, at least 8.
    pub image_size: usize,
    /// Channels at full size, a multiple of 8; all later ones have twice as many.
    pub base_channels: usize,
    /// Length of the feature vector.
    pub features: usize,
    /// Classes to tell apart, at least 2.
    pub classes: usize,
}

impl ClassifierConfig {
    /// Checks that images of shape `[C, H, W]` are those that the classifier is for.
    ///
    /// # Errors
    ///
    /// [`FeatureError::ImageShape`] with both shapes.
    pub fn check_images(&self, found: [usize; 3]) -> Result<(), FeatureError> {
        let expected = [self.image_channels, self.image_size, self.image_size];
        if found == expected {
            return Ok(());
        }
        Err(FeatureError::ImageShape { expected, found })
    }

    /// Checks that a network can be built from these numbers.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::Config`] names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ClassifierError> {
        let (size, steps) = (self.image_size, self.image_size / LAST_SIZE);
        let fits = steps >= 2 && steps.is_power_of_two() && size.is_multiple_of(LAST_SIZE);
        let expected = "8, 16, 32, 64, … (4 times a power of two)";
        at_least_1("image_channels", self.image_channels)?;
        check("image_size", size, fits, expected)?;
        let fits = self.base_channels >= 1 && self.base_channels.is_multiple_of(GROUPS);
        check("base_channels", self.base_channels, fits, "a multiple of 8")?;
        at_least_1("features", self.features)?;
        check("classes", self.classes, self.classes >= 2, "at least 2")
    }

    /// Numbers in one image.
    pub(super) fn pixels(&self) -> usize {
        self.image_channels * self.image_size * self.image_size
    }

    /// Convolutions of stride 2 between full size and 4×4.
    pub(super) fn stages(&self) -> usize {
        (self.image_size / LAST_SIZE).ilog2() as usize
    }
}

/// Fails with [`ClassifierError::Config`] unless the value fits.
pub(super) fn check(
    key: &'static str,
    found: impl Display,
    fits: bool,
    expected: &'static str,
) -> Result<(), ClassifierError> {
    if fits {
        return Ok(());
    }
    Err(ClassifierError::Config {
        key,
        found: found.to_string(),
        expected,
    })
}

pub(super) fn at_least_1(key: &'static str, found: usize) -> Result<(), ClassifierError> {
    check(key, found, found >= 1, "at least 1")
}
