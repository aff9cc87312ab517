//! The features of a set of images, as metrics see them.

use std::cell::OnceCell;
use std::fmt;

use burn::tensor::Device;
use dsno_data::ImageSet;
use dsno_model::batches;

use super::MetricError;
use crate::host::to_host;
use crate::{FeatureStatistics, Features, Moments};

/// Receives features, part by part: the number of features in a row, and rows `[n, D]`.
type Visit<'v> = dyn FnMut(usize, &[f32]) -> Result<(), MetricError> + 'v;

/// Gives features to a visitor, part by part.
type Parts<'a> = dyn Fn(&mut Visit<'_>) -> Result<(), MetricError> + 'a;

/// The features of a set of images: in memory, on disk part by part, or only their statistics.
///
/// Mean and covariance are computed once, when they are first asked for.
///
/// # Examples
///
/// ```
/// use dsno_eval::metric::FeatureSet;
///
/// let set = FeatureSet::from_rows(2, vec![0.0, 1.0, 2.0, 1.0]);
/// assert_eq!(set.statistics()?.mean(), [1.0, 1.0]);
/// # Ok::<(), dsno_eval::metric::MetricError>(())
/// ```
pub struct FeatureSet<'a> {
    parts: Option<Box<Parts<'a>>>,
    statistics: OnceCell<FeatureStatistics>,
}

impl fmt::Debug for FeatureSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureSet")
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}

impl<'a> FeatureSet<'a> {
    /// A set of which only mean and covariance are known.
    pub fn from_statistics(statistics: FeatureStatistics) -> Self {
        Self {
            parts: None,
            statistics: OnceCell::from(statistics),
        }
    }

    /// Rows of `dim` features in memory, `[n, dim]` row-major.
    pub fn from_rows(dim: usize, rows: Vec<f32>) -> Self {
        Self::from_parts(move |visit| visit(dim, &rows))
    }

    /// Rows that `parts` gives to a visitor whenever it is called: `visit(dim, rows)` for each part.
    pub fn from_parts(parts: impl Fn(&mut Visit<'_>) -> Result<(), MetricError> + 'a) -> Self {
        Self {
            parts: Some(Box::new(parts)),
            statistics: OnceCell::new(),
        }
    }

    /// Features of images, computed batch by batch whenever they are read.
    pub fn of_images(
        images: &'a ImageSet,
        features: &'a dyn Features,
        batch_size: usize,
        device: &'a Device,
    ) -> Self {
        Self::from_parts(move |visit| {
            for range in batches::ranges(images.len(), batch_size) {
                let indices: Vec<usize> = range.collect();
                let rows = features.extract(images.batch(&indices, device))?;
                visit(rows.dims()[1], &to_host(rows)?)?;
            }
            Ok(())
        })
    }

    /// Mean and covariance.
    ///
    /// # Errors
    ///
    /// [`MetricError`] if features cannot be read, are not finite, or are fewer than two.
    pub fn statistics(&self) -> Result<&FeatureStatistics, MetricError> {
        if let Some(known) = self.statistics.get() {
            return Ok(known);
        }
        let mut moments: Option<Moments> = None;
        self.for_each(&mut |dim, rows| {
            let moments = moments.get_or_insert_with(|| Moments::new(dim));
            Ok(moments.push_batch(rows)?)
        })?;
        let statistics = moments.unwrap_or_else(|| Moments::new(0)).finish()?;
        Ok(self.statistics.get_or_init(|| statistics))
    }

    /// Passes all features to `visit`, part by part: their number in a row, and rows `[n, D]`.
    ///
    /// # Errors
    ///
    /// [`MetricError::StatisticsOnly`] if they are not known; errors of reading and of `visit`.
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), MetricError> {
        self.parts.as_ref().ok_or(MetricError::StatisticsOnly)?(visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_once_for_the_statistics() {
        let reads = std::cell::Cell::new(0);
        let set = FeatureSet::from_parts(|visit| {
            reads.set(reads.get() + 1);
            visit(1, &[1.0])?;
            visit(1, &[2.0, 6.0])
        });
        for _ in 0..2 {
            assert_eq!(set.statistics().unwrap().mean(), [3.0]);
        }
        assert_eq!(reads.get(), 1);
    }

    #[test]
    fn statistics_alone_have_no_rows() {
        let statistics = FeatureStatistics::new(vec![0.0], vec![1.0], None).unwrap();
        let set = FeatureSet::from_statistics(statistics);
        assert_eq!(set.statistics().unwrap().dim(), 1);
        let rows = set.for_each(&mut |_, _| Ok(()));
        assert!(matches!(rows, Err(MetricError::StatisticsOnly)));
    }
}
