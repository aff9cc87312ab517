//! Teachers without a network, whose denoiser is known in closed form.
//!
//! [`Gaussian`] has a flow in closed form. [`GaussianMixture`] has an exact score and a smooth flow,
//! which [`exact_flow`] follows: solvers are tested on it.
//! [`IdealDenoiser`] is the best possible teacher of a finite data set. [`AnalyticTeacher`] is the
//! form in which such a teacher is written in a file. All work on every device and in every float
//! type of their input; none has trainable parameters.

mod exact_flow;
mod gaussian;
mod gaussian_mixture;
mod ideal_denoiser;

pub use exact_flow::exact_flow;
pub use gaussian::Gaussian;
pub use gaussian_mixture::GaussianMixture;
pub use ideal_denoiser::IdealDenoiser;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Denoiser, NoiseLevel};

/// An analytic teacher as it is written in a file.
///
/// Every key is required and an unknown one is an error.
///
/// ```toml
/// kind = "gaussian-mixture"
/// weights = [0.5, 0.5]
/// means = [[1.0, 0.5], [-1.2, 0.8]]      # one row of C·H·W pixel values per component
/// stds = [0.25, 0.4]
///
/// kind = "gaussian"
/// mean = [0.3, -0.2]                     # one per pixel value
/// std = [0.5]                            # one per pixel value, or one for all
/// ```
///
/// # Examples
///
/// ```
/// use dsno_ode::analytic::AnalyticTeacher;
///
/// let file = "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.5, 0.5]]\nstds = [0.1]";
/// let teacher: AnalyticTeacher = toml::from_str(file)?;
/// assert_eq!(teacher.dimensions(), 2);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AnalyticTeacher {
    /// A mixture of isotropic normal distributions.
    GaussianMixture(GaussianMixture),
    /// Independent normal values.
    Gaussian(Gaussian),
}

impl AnalyticTeacher {
    /// Returns the number of values `C·H·W` of the images that this teacher accepts.
    pub fn dimensions(&self) -> usize {
        match self {
            Self::GaussianMixture(mixture) => mixture.dimensions(),
            Self::Gaussian(gaussian) => gaussian.dimensions(),
        }
    }
}

impl Denoiser for AnalyticTeacher {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        match self {
            Self::GaussianMixture(mixture) => mixture.denoise(z_t, at),
            Self::Gaussian(gaussian) => gaussian.denoise(z_t, at),
        }
    }
}

/// Why the numbers given do not describe an analytic teacher.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalyticError {
    /// A mixture has no component or its lists differ in length.
    #[error(
        "a mixture needs one weight, one mean and one std per component, found {weights} weights, \
         {means} means and {stds} stds"
    )]
    ComponentCount {
        /// Number of weights given.
        weights: usize,
        /// Number of means given.
        means: usize,
        /// Number of standard deviations given.
        stds: usize,
    },
    /// A mean has another number of values than the first one, or none.
    #[error("mean of component {component} has {found} values, expected {expected} and at least 1")]
    MeanLength {
        /// Position of the component, from 0.
        component: usize,
        /// Number of values of this mean.
        found: usize,
        /// Number of values of the first mean.
        expected: usize,
    },
    /// A mean holds NaN or infinity.
    #[error("mean of component {component} holds {value}, expected finite values")]
    Mean {
        /// Position of the component, from 0.
        component: usize,
        /// The value found.
        value: f64,
    },
    /// A weight is not positive and finite.
    #[error("weight of component {component} is {value}, expected a positive finite number")]
    Weight {
        /// Position of the component, from 0.
        component: usize,
        /// The weight found.
        value: f64,
    },
    /// A standard deviation is not positive and finite.
    #[error("std of component {component} is {value}, expected a positive finite number")]
    Std {
        /// Position of the component, from 0.
        component: usize,
        /// The standard deviation found.
        value: f64,
    },
    /// A normal distribution has no value, or its lists differ in length.
    #[error(
        "a normal distribution needs at least one mean, and one std per mean or one for all, found \
         {mean} means and {std} stds"
    )]
    GaussianLength {
        /// Number of means given.
        mean: usize,
        /// Number of standard deviations given.
        std: usize,
    },
    /// A mean of a normal distribution is not finite.
    #[error("mean of value {index} is {value}, expected a finite number")]
    GaussianMean {
        /// Position of the value, from 0.
        index: usize,
        /// The mean found.
        value: f64,
    },
    /// A standard deviation of a normal distribution is not positive and finite.
    #[error("std of value {index} is {value}, expected a positive finite number")]
    GaussianStd {
        /// Position of the value, from 0.
        index: usize,
        /// The standard deviation found.
        value: f64,
    },
    /// A data set has no image or images without values.
    #[error("an ideal denoiser needs at least one image, found data of shape {shape:?}")]
    NoImages {
        /// `[N, C, H, W]` of the data.
        shape: [usize; 4],
    },
}

#[cfg(test)]
mod tests;
