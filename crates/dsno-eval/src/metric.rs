//! Metrics: what is computed from features and images.
//!
//! A metric is one file beside this one and one line in [`ALL`]; report columns, the keys of
//! `report.json` and `dsno evaluate --metrics` follow from what it says of itself.

mod feature_set;
pub mod frechet;
pub mod paired;

use std::borrow::Cow;
use std::fmt;

use burn::tensor::Tensor;
use dsno_checkpoint::npy::NpyError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use feature_set::FeatureSet;

use crate::{NotFloat, PairedError, StatisticsError};

/// All metrics, in the order of their columns.
pub const ALL: [&dyn Metric; 2] = [&frechet::Frechet, &paired::Paired];

/// Finds a metric of [`ALL`] by its name.
///
/// ```
/// use dsno_eval::metric::{self, Metric};
///
/// assert_eq!(metric::by_name("frechet").map(Metric::name), Some("frechet"));
/// assert!(metric::by_name("frobenius").is_none());
/// ```
pub fn by_name(name: &str) -> Option<&'static dyn Metric> {
    ALL.into_iter().find(|metric| metric.name() == name)
}

/// One measure of how good samples are, with one value or several.
///
/// # Examples
///
/// A metric of one's own: the squared distance between the means of two sets.
///
/// ```
/// use dsno_eval::metric::{Column, FeatureSet, Measure, Metric, MetricError, SetMetric};
/// use dsno_eval::FeatureStatistics;
///
/// #[derive(Debug)]
/// struct MeanShift;
///
/// impl Metric for MeanShift {
///     fn name(&self) -> &'static str {
///         "mean-shift"
///     }
///     fn columns(&self) -> Vec<Column> {
///         vec![Column::new(self.name(), "value", "shift", "squared distance of means", "", 3)]
///     }
///     fn measure(&self) -> Measure<'_> {
///         Measure::Sets(self)
///     }
/// }
///
/// impl SetMetric for MeanShift {
///     fn compare(&self, a: &FeatureSet<'_>, b: &FeatureSet<'_>) -> Result<Vec<f64>, MetricError> {
///         let (a, b) = (a.statistics()?, b.statistics()?);
///         let shifts = a.mean().iter().zip(b.mean()).map(|(a, b)| (a - b) * (a - b));
///         Ok(vec![shifts.sum()])
///     }
/// }
///
/// let at = |mean: f32| FeatureSet::from_rows(1, vec![mean - 1.0, mean + 1.0]);
/// assert_eq!(MeanShift.compare(&at(0.0), &at(3.0))?, [9.0]);
/// # Ok::<(), MetricError>(())
/// ```
pub trait Metric: fmt::Debug + Sync {
    /// Its key in `report.json` and its name on the command line.
    fn name(&self) -> &'static str;

    /// Its values, in the order in which [`Self::measure`] gives them.
    fn columns(&self) -> Vec<Column>;

    /// How it is computed.
    fn measure(&self) -> Measure<'_>;
}

/// How a [`Metric`] is computed.
#[derive(Clone, Copy)]
pub enum Measure<'a> {
    /// From the features of samples and of reference images; per seed.
    Sets(&'a dyn SetMetric),
    /// From each image and the one it is paired with; the mean over all pairs.
    Pairs(&'a dyn PairMetric),
}

impl fmt::Debug for Measure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sets(_) => "Sets",
            Self::Pairs(_) => "Pairs",
        })
    }
}

/// A comparison of two sets of features.
pub trait SetMetric: Sync {
    /// Gives one value for each column.
    ///
    /// # Errors
    ///
    /// [`MetricError`] if features cannot be read, are not finite, or are too few.
    fn compare(
        &self,
        samples: &FeatureSet<'_>,
        reference: &FeatureSet<'_>,
    ) -> Result<Vec<f64>, MetricError>;
}

/// A comparison of images one by one.
pub trait PairMetric: Sync {
    /// Gives one value for each pair and column, `[B, columns]` row-major.
    ///
    /// # Shapes
    ///
    /// | value              | shape          | range and unit         |
    /// |--------------------|----------------|------------------------|
    /// | `images`, `targets`| `[B, C, H, W]` | pixel units, `[-1, 1]` |
    ///
    /// # Errors
    ///
    /// [`MetricError`] if the shapes differ or values are not finite.
    fn compare(&self, images: Tensor<4>, targets: Tensor<4>) -> Result<Vec<f64>, MetricError>;
}

/// One value of a [`Metric`] and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The metric's name.
    pub metric: Cow<'static, str>,
    /// The value's key within the metric.
    pub key: Cow<'static, str>,
    /// A short heading.
    pub label: Cow<'static, str>,
    /// A heading with room for words.
    pub title: Cow<'static, str>,
    /// Its unit; empty if there is none to show.
    pub unit: Cow<'static, str>,
    /// Digits after the point.
    pub decimals: usize,
}

impl Column {
    /// A column from its parts, in the order of the fields.
    pub const fn new(
        metric: &'static str,
        key: &'static str,
        label: &'static str,
        title: &'static str,
        unit: &'static str,
        decimals: usize,
    ) -> Self {
        Self {
            metric: Cow::Borrowed(metric),
            key: Cow::Borrowed(key),
            label: Cow::Borrowed(label),
            title: Cow::Borrowed(title),
            unit: Cow::Borrowed(unit),
            decimals,
        }
    }
}

/// Why a metric has no value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Features have no usable statistics, or those of two sets cannot be compared.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// Images cannot be paired.
    #[error(transparent)]
    Paired(#[from] PairedError),
    /// A tensor cannot be brought to the host.
    #[error(transparent)]
    NotFloat(#[from] NotFloat),
    /// Stored features cannot be read.
    #[error(transparent)]
    Read(#[from] NpyError),
    /// Images have no features.
    #[error(transparent)]
    Features(#[from] crate::FeatureError),
    /// Only the mean and covariance of a set are known.
    #[error("only mean and covariance are known, expected the features of each image")]
    StatisticsOnly,
}
