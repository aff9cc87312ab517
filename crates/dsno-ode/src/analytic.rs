//! Teachers without a network, whose denoiser is known in closed form.
//!
//! [`Gaussian`] has a flow in closed form. [`GaussianMixture`] has an exact score and a smooth flow,
//! which [`exact_flow`] follows: solvers are tested on it.
//! [`IdealDenoiser`] is the best possible teacher of a finite data set. [`AnalyticTeacher`] is the
//! form in which such a teacher is written in a file. All work on every device and in every float
//! type of their input; none has trainable parameters.

/// Declares the fields of a teacher as they stand in a file, before `new` has checked their values.
macro_rules! unchecked {
    ($teacher:ident { $($field:ident: $type:ty),+ }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Unchecked {
            $($field: $type),+
        }

        impl TryFrom<Unchecked> for $teacher {
            type Error = AnalyticError;

            fn try_from(file: Unchecked) -> Result<Self, AnalyticError> {
                Self::new($(file.$field),+)
            }
        }
    };
}

mod gaussian;
mod gaussian_mixture;
mod ideal_denoiser;

pub use gaussian::Gaussian;
pub use gaussian_mixture::GaussianMixture;
pub use ideal_denoiser::IdealDenoiser;

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Denoiser, Dopri5, NoiseLevel, Schedule, SolveError, solve_adaptive};

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

/// Follows the flow of a teacher so closely that other solvers can be measured against it.
///
/// No mixture of more than one component has a flow in closed form. This is a solve in f64 with
/// [`Dopri5`] at a tolerance of `1e-11`: for [`GaussianMixture`] the states
/// are within `1e-9` of those of SciPy's DOP853 at `1e-12`. It takes about a thousand calls, which is
/// nothing for an analytic teacher and too much for a network.
///
/// # Shapes
///
/// | value    | shape               | range and unit                                     |
/// |----------|---------------------|----------------------------------------------------|
/// | `z_1`    | `[B, C, H, W]`      | noise at `t = 1`; any float type, solved in f64     |
/// | `times`  | any number          | times in `[0, 1]`, any order                       |
/// | returned | `[B, C, H, W]` each | one state per time, f64, pixel units               |
///
/// # Errors
///
/// Those of [`solve_adaptive`].
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::CosineSchedule;
/// use dsno_ode::analytic::{GaussianMixture, exact_flow};
///
/// // One component: the flow scales a state by s(t) = √(α² s² + σ²).
/// let normal = GaussianMixture::new(vec![1.0], vec![vec![0.0; 4]], vec![0.5])?;
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let sample = exact_flow(&normal, &CosineSchedule::default(), z_1, &[0.0])?;
/// assert!((sample[0].clone().mean().into_scalar::<f64>() - 0.5).abs() < 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn exact_flow(
    teacher: &dyn Denoiser,
    schedule: &dyn Schedule,
    z_1: Tensor<4>,
    times: &[f64],
) -> Result<Vec<Tensor<4>>, SolveError> {
    let last = times.iter().copied().fold(1.0, f64::min);
    let end = if last < 1.0 { last } else { 0.0 };
    let method = Dopri5::with_tolerance(1e-11);
    let z_1 = z_1.cast(DType::F64);
    Ok(solve_adaptive(teacher, &method, schedule, (1.0, end), z_1, times)?.states)
}

/// Refuses a state whose images have another number of values than those of a teacher.
#[track_caller]
fn check_dimensions([_, c, h, w]: [usize; 4], d: usize, teacher: &str) {
    assert_eq!(
        c * h * w,
        d,
        "an image of {c}×{h}×{w} values for {teacher} in {d} dimensions"
    );
}

/// Refuses a number that is not finite, or not positive where it has to be.
fn check_value(
    what: &'static str,
    index: usize,
    value: f64,
    positive: bool,
) -> Result<(), AnalyticError> {
    if value.is_finite() && (value > 0.0 || !positive) {
        return Ok(());
    }
    let expected = if positive {
        "a positive finite number"
    } else {
        "a finite number"
    };
    Err(AnalyticError::Value {
        what,
        index,
        value,
        expected,
    })
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
    /// A mean is not finite, or a weight or standard deviation not positive and finite.
    #[error("{what} {index} is {value}, expected {expected}")]
    Value {
        /// What the value is of a component of a mixture, or of one value of a normal distribution.
        what: &'static str,
        /// Position of that component or value, from 0.
        index: usize,
        /// The value found.
        value: f64,
        /// What it may be.
        expected: &'static str,
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
    /// A data set has no image or images without values.
    #[error("an ideal denoiser needs at least one image, found data of shape {shape:?}")]
    NoImages {
        /// `[N, C, H, W]` of the data.
        shape: [usize; 4],
    },
}

#[cfg(test)]
mod tests;
