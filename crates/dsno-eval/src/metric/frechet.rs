//! The Fréchet distance between two Gaussians.

#[cfg(test)]
mod tests;

use faer::{Mat, MatRef, Side};

use super::{Column, FeatureSet, Measure, Metric, MetricError, SetMetric};
use crate::statistics::same_dim;
use crate::{FeatureStatistics, StatisticsError};

/// The Fréchet distance between the features of samples and of reference images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frechet;

impl Metric for Frechet {
    fn name(&self) -> &'static str {
        "frechet"
    }

    fn columns(&self) -> Vec<Column> {
        let (label, title) = ("Fréchet", "Fréchet distance");
        vec![Column::new(self.name(), "value", label, title, "", 3)]
    }

    fn measure(&self) -> Measure<'_> {
        Measure::Sets(self)
    }
}

impl SetMetric for Frechet {
    fn compare(
        &self,
        samples: &FeatureSet<'_>,
        reference: &FeatureSet<'_>,
    ) -> Result<Vec<f64>, MetricError> {
        let distance = frechet_distance(samples.statistics()?, reference.statistics()?)?;
        Ok(vec![distance])
    }
}

/// Eigenvalues of `Σ` below `−1e-6 λ_max` are errors; above it, they are rounding and count as zero.
///
/// Statistics computed in `f32` by other tools reach about `−1e-7 λ_max`.
const NEGATIVE_TOLERANCE: f64 = 1e-6;

/// Gives the squared Fréchet (2-Wasserstein) distance between two Gaussians.
///
/// With the features of the Inception network this number is the FID; with any other features
/// it must be named after them.
///
/// ```text
/// d² = ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½
/// ```
///
/// This is Dowson and Landau 1982 (J. Multivariate Anal. 12:450), as Heusel et al. 2017
/// (arXiv:1706.08500) use it. Each covariance is scaled to unit variances and decomposed
/// symmetrically, `Σ = S C S` with `C = V Λ Vᵀ`, and the last trace is the sum of the singular values
/// of `L₁ᵀ L₂` with `L = S V Λ^½`, whose squares are the eigenvalues of `Σ₁^½ Σ₂ Σ₁^½`. Nothing is
/// squared on the way, so fewer samples than features cost no digits; the square root of the
/// unsymmetric `Σ₁ Σ₂` would. The scaling keeps the digits of features of any unit, however far
/// their variances are apart.
///
/// Eigenvalues of `C` below `d · 2.2e-16 · λ_max` are rounding and count as zero. The result is never
/// negative and symmetric in its arguments up to rounding. It is accurate to about
/// `1e-13 (tr Σ₁ + tr Σ₂)` where the smallest eigenvalue of `C` that counts is above `1e-6`, whatever
/// the spectrum of `Σ`. A smaller one, `λ`, costs up to `1e-16 / √λ` of the traces, and those that count
/// as zero up to `√(d · 2.2e-16)`, if the other set varies most where this one hardly does; they are
/// what rounding the entries of a covariance changes.
/// It is biased upwards for few samples: compare distances of equal sample counts only.
///
/// # Errors
///
/// * [`StatisticsError::DimensionMismatch`] if the two have different numbers of features.
/// * [`StatisticsError::NotPositiveSemidefinite`] if an eigenvalue lies below `−1e-6 λ_max`.
/// * [`StatisticsError::NoConvergence`] if a decomposition does not converge.
///
/// # Examples
///
/// For diagonal covariances the distance is `‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)²`.
///
/// ```
/// use dsno_eval::{FeatureStatistics, frechet_distance};
///
/// let p = FeatureStatistics::new(vec![0.0, 0.0], vec![4.0, 0.0, 0.0, 1.0], None)?;
/// let q = FeatureStatistics::new(vec![3.0, 0.0], vec![1.0, 0.0, 0.0, 1.0], None)?;
/// assert!((frechet_distance(&p, &q)? - (9.0 + 1.0)).abs() < 1e-12);
/// # Ok::<(), dsno_eval::StatisticsError>(())
/// ```
pub fn frechet_distance(
    p: &FeatureStatistics,
    q: &FeatureStatistics,
) -> Result<f64, StatisticsError> {
    same_dim(p.dim(), q.dim())?;
    let shift: f64 = p
        .mean()
        .iter()
        .zip(q.mean())
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    let overlap = trace_of_root(&factor(p)?, &factor(q)?)?;
    Ok((shift + p.trace() + q.trace() - 2.0 * overlap).max(0.0))
}

/// `L` with `Σ = L Lᵀ`, without the columns whose eigenvalue is zero up to rounding.
///
/// Statistics of other tools may be semidefinite as they are and not after the scaling, which makes
/// the rounding of small variances large; they are decomposed as they are.
fn factor(gaussian: &FeatureStatistics) -> Result<Mat<f64>, StatisticsError> {
    let dim = gaussian.dim();
    let covariance = MatRef::from_row_major_slice(gaussian.covariance(), dim, dim);
    if let Some(deviations) = deviations(covariance) {
        let scaled = Mat::from_fn(dim, dim, |row, column| {
            covariance[(row, column)] / deviations[row] / deviations[column]
        });
        match factor_scaled(scaled.as_ref(), &deviations) {
            Err(StatisticsError::NotPositiveSemidefinite { .. }) => {}
            other => return other,
        }
    }
    factor_scaled(covariance, &vec![1.0; dim])
}

/// Standard deviation of each feature, 1 for a constant one; `None` if these cannot be variances.
fn deviations(covariance: MatRef<'_, f64>) -> Option<Vec<f64>> {
    let deviation = |i: usize| match covariance[(i, i)] {
        // The smallest normal number: below it a quotient would lose digits.
        variance if variance >= f64::MIN_POSITIVE => Some(variance.sqrt()),
        0.0 => {
            let is_constant = covariance.row(i).iter().all(|&value| value == 0.0);
            is_constant.then_some(1.0)
        }
        _ => None,
    };
    (0..covariance.nrows()).map(deviation).collect()
}

/// `L = S V Λ^½` of a scaled covariance `V Λ Vᵀ` and the deviations `S`.
fn factor_scaled(scaled: MatRef<'_, f64>, deviations: &[f64]) -> Result<Mat<f64>, StatisticsError> {
    let dim = deviations.len();
    let eigen = scaled
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_non_convergence| StatisticsError::NoConvergence { dim })?;
    let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if smallest < -NEGATIVE_TOLERANCE * largest.max(0.0) {
        return Err(StatisticsError::NotPositiveSemidefinite { smallest, largest });
    }
    let cut = dim as f64 * f64::EPSILON * largest;
    let kept: Vec<usize> = (0..dim).filter(|&i| values[i] > cut).collect();
    let vectors = eigen.U();
    Ok(Mat::from_fn(dim, kept.len(), |row, k| {
        deviations[row] * vectors[(row, kept[k])] * values[kept[k]].sqrt()
    }))
}

/// `tr (Σ₁^½ Σ₂ Σ₁^½)^½` as the sum of the singular values of `L₁ᵀ L₂`.
fn trace_of_root(left: &Mat<f64>, right: &Mat<f64>) -> Result<f64, StatisticsError> {
    if left.ncols() == 0 || right.ncols() == 0 {
        return Ok(0.0);
    }
    let values = (left.transpose() * right)
        .singular_values()
        .map_err(|_non_convergence| StatisticsError::NoConvergence { dim: left.nrows() })?;
    Ok(values.iter().sum())
}
