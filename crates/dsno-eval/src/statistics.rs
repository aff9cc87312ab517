//! Mean and covariance of features, and the number of samples behind them.

use thiserror::Error;

/// Largest relative difference between mirrored entries that still counts as rounding.
const SYMMETRY_TOLERANCE: f64 = 1e-6;

/// Mean and covariance of a set of feature vectors, checked once when it is made.
///
/// # Shapes
///
/// | value        | shape    | range and unit                                  |
/// |--------------|----------|-------------------------------------------------|
/// | `mean`       | `[d]`    | feature units                                   |
/// | `covariance` | `[d, d]` | row-major, symmetric, squared feature units     |
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStatistics {
    mean: Vec<f64>,
    covariance: Vec<f64>,
    count: Option<u64>,
}

impl FeatureStatistics {
    /// Checks and keeps a mean, a row-major covariance and, where known, the sample count.
    ///
    /// Mirrored entries that differ by rounding are replaced by their average.
    ///
    /// # Errors
    ///
    /// * [`StatisticsError::NotSquare`] if the covariance does not hold `d²` numbers, or `d = 0`.
    /// * [`StatisticsError::NonFiniteStatistic`] if an entry is infinite or not a number.
    /// * [`StatisticsError::Asymmetric`] if mirrored entries differ by more than `1e-6` of the
    ///   largest entry.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_eval::{FeatureStatistics, StatisticsError};
    ///
    /// let standard = FeatureStatistics::new(vec![0.0, 0.0], vec![1.0, 0.0, 0.0, 1.0], None)?;
    /// assert_eq!(standard.dim(), 2);
    /// let crooked = FeatureStatistics::new(vec![0.0, 0.0], vec![1.0, 0.5, 0.0, 1.0], None);
    /// assert!(matches!(crooked, Err(StatisticsError::Asymmetric { row: 1, column: 0, .. })));
    /// # Ok::<(), StatisticsError>(())
    /// ```
    pub fn new(
        mean: Vec<f64>,
        mut covariance: Vec<f64>,
        count: Option<u64>,
    ) -> Result<Self, StatisticsError> {
        let dim = mean.len();
        if dim == 0 || Some(covariance.len()) != dim.checked_mul(dim) {
            return Err(StatisticsError::NotSquare {
                dim,
                entries: covariance.len(),
            });
        }
        if !mean
            .iter()
            .chain(&covariance)
            .all(|value| value.is_finite())
        {
            return Err(StatisticsError::NonFiniteStatistic);
        }
        let largest = covariance
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        for row in 0..dim {
            for column in 0..row {
                let (below, above) = (
                    covariance[row * dim + column],
                    covariance[column * dim + row],
                );
                if (below - above).abs() > SYMMETRY_TOLERANCE * largest {
                    return Err(StatisticsError::Asymmetric {
                        row,
                        column,
                        below,
                        above,
                    });
                }
                let value = f64::midpoint(below, above);
                covariance[row * dim + column] = value;
                covariance[column * dim + row] = value;
            }
        }
        Ok(Self {
            mean,
            covariance,
            count,
        })
    }

    /// Number of features.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean, `[d]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance, row-major `[d, d]`.
    pub fn covariance(&self) -> &[f64] {
        &self.covariance
    }

    /// How many samples were measured; `None` for a file that does not say.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// Sum of the variances.
    pub fn trace(&self) -> f64 {
        (0..self.dim())
            .map(|i| self.covariance[i * self.dim() + i])
            .sum()
    }
}

/// What can be wrong with features, their moments, or the distance between them.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// A tensor of features cannot be brought to the host.
    #[error(transparent)]
    NotFloat(#[from] crate::NotFloat),
    /// A batch does not hold whole feature vectors.
    #[error("a batch of {len} numbers does not hold whole rows of {dim} features")]
    RaggedBatch {
        /// Numbers in the batch.
        len: usize,
        /// Features in a row.
        dim: usize,
    },
    /// A feature is infinite or not a number.
    #[error("feature {column} of sample {row} is not finite")]
    NonFiniteFeature {
        /// Position of the sample in the stream, from 0.
        row: u64,
        /// Position of the feature in the sample, from 0.
        column: usize,
    },
    /// A covariance needs two samples.
    #[error("{count} samples have no covariance, at least 2 are needed")]
    TooFewSamples {
        /// Samples seen.
        count: u64,
    },
    /// The covariance is not `d × d`, or there are no features.
    #[error("a mean of {dim} features needs {dim} × {dim} covariances, found {entries}")]
    NotSquare {
        /// Length of the mean.
        dim: usize,
        /// Entries of the covariance.
        entries: usize,
    },
    /// A mean or covariance holds an infinity or a NaN.
    #[error("the mean or the covariance holds a number that is not finite")]
    NonFiniteStatistic,
    /// Mirrored entries differ by more than rounding.
    #[error("the covariance is not symmetric: [{row}, {column}] is {below}, mirrored {above}")]
    Asymmetric {
        /// Row of the entry below the diagonal.
        row: usize,
        /// Column of the entry below the diagonal.
        column: usize,
        /// Entry below the diagonal.
        below: f64,
        /// Its mirror image.
        above: f64,
    },
    /// Two sets of features cannot be compared.
    #[error("{left} features cannot be compared with {right}")]
    DimensionMismatch {
        /// Features on the left.
        left: usize,
        /// Features on the right.
        right: usize,
    },
    /// A covariance has an eigenvalue that is negative by more than rounding.
    #[error(
        "the covariance is not positive semidefinite: smallest eigenvalue {smallest}, \
         largest {largest}"
    )]
    NotPositiveSemidefinite {
        /// Smallest eigenvalue.
        smallest: f64,
        /// Largest eigenvalue.
        largest: f64,
    },
    /// The eigenvalue or singular value iteration did not converge.
    #[error("the decomposition of a {dim} × {dim} covariance did not converge")]
    NoConvergence {
        /// Number of features.
        dim: usize,
    },
}

/// Fails with [`StatisticsError::DimensionMismatch`] unless both are the same.
pub(crate) fn same_dim(left: usize, right: usize) -> Result<(), StatisticsError> {
    if left == right {
        return Ok(());
    }
    Err(StatisticsError::DimensionMismatch { left, right })
}
