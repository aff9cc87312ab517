//! Streaming mean and covariance of feature vectors.
//!
//! [`Moments`] is the accumulator; the result is a [`FeatureStatistics`].

use burn::tensor::Tensor;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};

use crate::host::to_host;
use crate::statistics::same_dim;
use crate::{FeatureStatistics, StatisticsError};

/// Rows that are centred and multiplied together; a matter of speed and of the last bits only.
const BLOCK_ROWS: usize = 256;

/// Accumulates the mean and the covariance of a stream of feature vectors in `f64`.
///
/// Rows are gathered into blocks of 256. Each block is centred about its own mean and merged,
/// which keeps the digits that a sum of squares would cancel:
///
/// ```text
/// δ = mean_b − mean_a,   n = n_a + n_b
/// mean    = mean_a + δ n_b / n
/// scatter = scatter_a + scatter_b + δ δᵀ n_a n_b / n
/// ```
///
/// This is Chan, Golub and LeVeque 1979 (Stanford STAN-CS-79-773), the pairwise update. The
/// result depends on the sequence of rows alone, to the bit: how the sequence is cut into batches
/// changes nothing. Memory is `O(d²)`.
///
/// # Examples
///
/// ```
/// use dsno_eval::Moments;
///
/// let mut moments = Moments::new(2);
/// moments.push_batch(&[0.0_f32, 1.0, 2.0, 1.0])?; // two rows
/// moments.push_batch(&[4.0_f32, 4.0])?; // one more
/// let gaussian = moments.finish()?;
/// assert_eq!(gaussian.mean(), [2.0, 2.0]);
/// assert_eq!(gaussian.covariance(), [4.0, 3.0, 3.0, 3.0]); // divided by n − 1
/// # Ok::<(), dsno_eval::StatisticsError>(())
/// ```
#[derive(Clone)]
pub struct Moments {
    dim: usize,
    count: u64,
    mean: Vec<f64>,
    /// Sum of centred outer products; only the lower triangle is kept up to date.
    scatter: Mat<f64>,
    /// Rows that wait for their block to fill, row-major.
    pending: Vec<f64>,
}

impl std::fmt::Debug for Moments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moments")
            .field("dim", &self.dim)
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl Moments {
    /// Starts an empty accumulator for vectors of `dim` features.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            count: 0,
            mean: vec![0.0; dim],
            scatter: Mat::zeros(dim, dim),
            pending: Vec::new(),
        }
    }

    /// Number of features in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows taken in so far.
    pub fn count(&self) -> u64 {
        self.count + (self.pending.len() / self.dim.max(1)) as u64
    }

    /// Takes in a batch of feature vectors, `[n, d]`.
    ///
    /// # Errors
    ///
    /// Nothing is taken in when the batch is refused:
    ///
    /// * [`StatisticsError::DimensionMismatch`] if the rows are not of `d` features.
    /// * [`StatisticsError::NonFiniteFeature`] if a value is infinite or not a number.
    /// * [`StatisticsError::NotFloat`] if the tensor cannot be read as `f32`.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use dsno_eval::Moments;
    ///
    /// let mut moments = Moments::new(1);
    /// moments.push(Tensor::from_floats([[1.0], [3.0]], &Device::flex()))?;
    /// assert_eq!(moments.finish()?.mean(), [2.0]);
    /// # Ok::<(), dsno_eval::StatisticsError>(())
    /// ```
    pub fn push(&mut self, rows: Tensor<2>) -> Result<(), StatisticsError> {
        same_dim(self.dim, rows.dims()[1])?;
        self.push_batch(&to_host(rows)?)
    }

    /// Takes in `n` feature vectors on the host, row-major `[n, d]`, as `f32` or `f64`.
    ///
    /// # Errors
    ///
    /// Nothing is taken in when the batch is refused:
    ///
    /// * [`StatisticsError::RaggedBatch`] if the length is not a multiple of `d`.
    /// * [`StatisticsError::NonFiniteFeature`] if a value is infinite or not a number.
    pub fn push_batch<T: Copy + Into<f64>>(&mut self, rows: &[T]) -> Result<(), StatisticsError> {
        if self.dim == 0 || !rows.len().is_multiple_of(self.dim) {
            return Err(StatisticsError::RaggedBatch {
                len: rows.len(),
                dim: self.dim,
            });
        }
        if let Some(at) = rows.iter().position(|&value| !value.into().is_finite()) {
            return Err(StatisticsError::NonFiniteFeature {
                row: self.count() + (at / self.dim) as u64,
                column: at % self.dim,
            });
        }
        for row in rows.chunks_exact(self.dim) {
            self.pending.extend(row.iter().map(|&value| value.into()));
            if self.pending.len() == BLOCK_ROWS * self.dim {
                self.absorb_pending();
            }
        }
        Ok(())
    }

    /// Adds everything that `other` has seen, as if its rows had been pushed here.
    ///
    /// Equal to pushing the rows up to rounding; for equal bits, merge the same parts in the same
    /// order.
    ///
    /// # Errors
    ///
    /// * [`StatisticsError::DimensionMismatch`] if the two count different features.
    pub fn merge(&mut self, mut other: Self) -> Result<(), StatisticsError> {
        same_dim(self.dim, other.dim)?;
        self.absorb_pending();
        other.absorb_pending();
        self.scatter += &other.scatter;
        self.shift_to(&other.mean, other.count);
        Ok(())
    }

    /// Closes the stream and gives the mean and the unbiased covariance (divided by `n − 1`).
    ///
    /// # Errors
    ///
    /// * [`StatisticsError::TooFewSamples`] with fewer than two rows: no covariance exists.
    pub fn finish(mut self) -> Result<FeatureStatistics, StatisticsError> {
        self.absorb_pending();
        if self.count < 2 {
            return Err(StatisticsError::TooFewSamples { count: self.count });
        }
        let divisor = (self.count - 1) as f64;
        let mut covariance = vec![0.0; self.dim * self.dim];
        for row in 0..self.dim {
            for column in 0..=row {
                let value = self.scatter[(row, column)] / divisor;
                covariance[row * self.dim + column] = value;
                covariance[column * self.dim + row] = value;
            }
        }
        FeatureStatistics::new(self.mean, covariance, Some(self.count))
    }

    /// Merges the waiting rows as one block.
    fn absorb_pending(&mut self) {
        let mut block = std::mem::take(&mut self.pending);
        let rows = block.len() / self.dim.max(1);
        if rows == 0 {
            return;
        }
        let mut mean = vec![0.0; self.dim];
        for row in block.chunks_exact(self.dim) {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += value;
            }
        }
        for sum in &mut mean {
            *sum /= rows as f64;
        }
        for row in block.chunks_exact_mut(self.dim) {
            for (value, centre) in row.iter_mut().zip(&mean) {
                *value -= centre;
            }
        }
        let centred = MatRef::from_row_major_slice(&block, rows, self.dim);
        triangular::matmul(
            self.scatter.as_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            centred.transpose(),
            BlockStructure::Rectangular,
            centred,
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
        self.shift_to(&mean, rows as u64);
        block.clear();
        self.pending = block;
    }

    /// Moves the mean for `count` new rows about `mean`, and adds the scatter between the means.
    fn shift_to(&mut self, mean: &[f64], count: u64) {
        let total = self.count + count;
        if count == 0 {
            return;
        }
        let share = count as f64 / total as f64;
        let weight = self.count as f64 * share;
        let delta: Vec<f64> = mean
            .iter()
            .zip(&self.mean)
            .map(|(new, old)| new - old)
            .collect();
        for (column, right) in delta.iter().enumerate() {
            for (row, left) in delta.iter().enumerate().skip(column) {
                self.scatter[(row, column)] += left * right * weight;
            }
        }
        for (centre, step) in self.mean.iter_mut().zip(&delta) {
            *centre += step * share;
        }
        self.count = total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, dim: usize) -> Vec<f64> {
        (0..n * dim)
            .map(|i| ((i * i) as f64 * 0.37).sin() + (i % dim) as f64)
            .collect()
    }

    #[test]
    fn is_the_same_to_the_bit_however_rows_are_cut_into_batches() {
        let (dim, data) = (3, rows(700, 3));
        let whole = {
            let mut moments = Moments::new(dim);
            moments.push_batch(&data).unwrap();
            moments.finish().unwrap()
        };
        for batch in [1, 7, 256, 300] {
            let mut moments = Moments::new(dim);
            for part in data.chunks(batch * dim) {
                moments.push_batch(part).unwrap();
            }
            assert_eq!(moments.finish().unwrap(), whole);
        }
    }

    #[test]
    fn agrees_with_two_passes_far_from_the_origin() {
        let (dim, n) = (4, 1000);
        let data: Vec<f64> = rows(n, dim).iter().map(|x| x + 1e6).collect();
        let mut moments = Moments::new(dim);
        moments.push_batch(&data).unwrap();
        let found = moments.finish().unwrap();
        for i in 0..dim {
            let column = |c: usize| data.iter().skip(c).step_by(dim);
            let mean = |c: usize| column(c).sum::<f64>() / n as f64;
            for j in 0..dim {
                let (mi, mj) = (mean(i), mean(j));
                let sum: f64 = column(i)
                    .zip(column(j))
                    .map(|(a, b)| (a - mi) * (b - mj))
                    .sum();
                let expected = sum / (n - 1) as f64;
                // Inputs near 1e6 carry 1e-10; a sum of squares would be off by 1e-4.
                assert!((found.covariance()[i * dim + j] - expected).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn merging_parts_equals_pushing_all() {
        let (dim, data) = (3, rows(600, 3));
        let mut whole = Moments::new(dim);
        whole.push_batch(&data).unwrap();
        let (mut left, mut right) = (Moments::new(dim), Moments::new(dim));
        left.push_batch(&data[..150]).unwrap();
        right.push_batch(&data[150..]).unwrap();
        left.merge(right).unwrap();
        assert_eq!(left.count(), 600);
        let (a, b) = (left.finish().unwrap(), whole.finish().unwrap());
        for (x, y) in a.covariance().iter().zip(b.covariance()) {
            assert!((x - y).abs() < 1e-13);
        }
    }

    #[test]
    fn refuses_ragged_and_non_finite_rows_and_single_samples() {
        let mut moments = Moments::new(2);
        assert_eq!(
            moments.push_batch(&[1.0, 2.0, 3.0]),
            Err(StatisticsError::RaggedBatch { len: 3, dim: 2 })
        );
        assert_eq!(
            moments.push_batch(&[1.0, 2.0, 3.0, f64::NAN]),
            Err(StatisticsError::NonFiniteFeature { row: 1, column: 1 })
        );
        let wide = Tensor::zeros([1, 3], &burn::tensor::Device::flex());
        assert_eq!(
            moments.push(wide),
            Err(StatisticsError::DimensionMismatch { left: 2, right: 3 })
        );
        moments.push_batch(&[1.0_f32, 2.0]).unwrap();
        assert_eq!(
            moments.finish(),
            Err(StatisticsError::TooFewSamples { count: 1 })
        );
    }
}
