//! Errors between paired images: a sampler's endpoint against the teacher's from the same noise.

use burn::tensor::Tensor;
use thiserror::Error;

use super::{Column, Measure, Metric, MetricError, PairMetric};
use crate::host::to_host;

/// Distance between the ends of the image range `[-1, 1]`.
pub const PEAK: f64 = 2.0;

/// Gives the mean absolute difference of two images of equal length, in pixel units.
///
/// ```text
/// l1 = (1/n) Σ |aᵢ − bᵢ|
/// ```
///
/// # Errors
///
/// * [`PairedError::LengthMismatch`] if the lengths differ or are zero.
///
/// # Examples
///
/// ```
/// assert_eq!(dsno_eval::paired::l1(&[0.0, 1.0], &[0.5, 1.0])?, 0.25);
/// # Ok::<(), dsno_eval::PairedError>(())
/// ```
pub fn l1(a: &[f32], b: &[f32]) -> Result<f64, PairedError> {
    mean_over_pixels(a, b, f64::abs)
}

/// Gives the peak signal-to-noise ratio of two images in `[-1, 1]`, in decibels.
///
/// ```text
/// psnr = 10 log₁₀(peak² / mse),   peak = 2,   mse = (1/n) Σ (aᵢ − bᵢ)²
/// ```
///
/// Equal images have an infinite ratio.
///
/// # Errors
///
/// * [`PairedError::LengthMismatch`] if the lengths differ or are zero.
///
/// # Examples
///
/// ```
/// let psnr = dsno_eval::paired::psnr(&[-1.0, 1.0], &[-0.8, 0.8])?;
/// assert!((psnr - 20.0).abs() < 1e-5); // mse 0.04 against 4
/// # Ok::<(), dsno_eval::PairedError>(())
/// ```
pub fn psnr(a: &[f32], b: &[f32]) -> Result<f64, PairedError> {
    let mse = mean_over_pixels(a, b, |difference| difference * difference)?;
    Ok(10.0 * (PEAK * PEAK / mse).log10())
}

fn mean_over_pixels(a: &[f32], b: &[f32], f: impl Fn(f64) -> f64) -> Result<f64, PairedError> {
    if a.len() != b.len() || a.is_empty() {
        return Err(PairedError::LengthMismatch {
            left: a.len(),
            right: b.len(),
        });
    }
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(&x, &y)| f(f64::from(x) - f64::from(y)))
        .sum();
    Ok(sum / a.len() as f64)
}

/// Mean absolute difference and peak signal-to-noise ratio of paired images.
///
/// First the mean over a pair's pixels, then over pairs. The mean of the ratios is not the ratio of
/// the mean error: each image counts the same in decibels, as is usual for this figure.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::metric::PairMetric;
/// use dsno_eval::paired::Paired;
///
/// let images = Tensor::<4>::zeros([1, 1, 4, 4], &Device::flex());
/// let errors = Paired.compare(images.clone(), images + 0.2)?; // mean difference, decibels
/// assert!((errors[0] - 0.2).abs() < 1e-6 && (errors[1] - 20.0).abs() < 1e-5);
/// # Ok::<(), dsno_eval::metric::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired;

impl Metric for Paired {
    fn name(&self) -> &'static str {
        "paired"
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            Column::new(self.name(), "l1", "L1", "paired L1", "", 4),
            Column::new(self.name(), "psnr", "PSNR", "paired PSNR", "dB", 2),
        ]
    }

    fn measure(&self) -> Measure<'_> {
        Measure::Pairs(self)
    }
}

impl PairMetric for Paired {
    fn compare(&self, images: Tensor<4>, targets: Tensor<4>) -> Result<Vec<f64>, MetricError> {
        let (left, right) = (images.dims(), targets.dims());
        if left != right {
            return Err(PairedError::ShapeMismatch { left, right }.into());
        }
        let pixels = left[1..].iter().product();
        let (images, targets) = (to_host(images)?, to_host(targets)?);
        let mut errors = Vec::new();
        for (a, b) in images
            .chunks_exact(pixels)
            .zip(targets.chunks_exact(pixels))
        {
            let difference = l1(a, b)?;
            if !difference.is_finite() {
                let pair = errors.len() / 2;
                return Err(PairedError::NonFinite { pair }.into());
            }
            errors.extend([difference, psnr(a, b)?]);
        }
        Ok(errors)
    }
}

/// What can be wrong with pairs of images.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PairedError {
    /// Two images do not have the same number of pixels, or have none.
    #[error("{left} pixels cannot be paired with {right}")]
    LengthMismatch {
        /// Pixels on the left.
        left: usize,
        /// Pixels on the right.
        right: usize,
    },
    /// Two batches differ in shape; nothing is broadcast.
    #[error("images of shape {left:?} cannot be paired with {right:?}")]
    ShapeMismatch {
        /// Shape on the left, `[B, C, H, W]`.
        left: [usize; 4],
        /// Shape on the right.
        right: [usize; 4],
    },
    /// A pixel is infinite or not a number.
    #[error("pair {pair} holds a pixel that is not finite")]
    NonFinite {
        /// Position of the pair in the batch, from 0.
        pair: usize,
    },
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn compare(a: &[f32], b: &[f32], pixels: usize) -> Result<Vec<f64>, MetricError> {
        let batch = |values: &[f32]| {
            let shape = [values.len() / pixels, 1, 1, pixels];
            Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
        };
        Paired.compare(batch(a), batch(b))
    }

    #[test]
    fn gives_each_pairs_own_figures() {
        let errors = compare(&[0.0; 4], &[0.2, -0.2, 0.02, 0.02], 2).unwrap();
        let expected = [0.2, 20.0, 0.02, 40.0];
        for (found, expected) in errors.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5); // f32 inputs
        }
        assert_eq!(errors.len(), 4);
    }

    #[test]
    fn refuses_pairs_that_are_not_finite_or_differ_in_shape() {
        let error = compare(&[0.0, f32::NAN], &[0.0, 0.0], 1).unwrap_err();
        let paired = PairedError::NonFinite { pair: 1 };
        assert!(matches!(error, MetricError::Paired(found) if found == paired));
        let error = compare(&[0.0; 2], &[0.0; 3], 1).unwrap_err();
        let (left, right) = ([2, 1, 1, 1], [3, 1, 1, 1]);
        let paired = PairedError::ShapeMismatch { left, right };
        assert!(matches!(error, MetricError::Paired(found) if found == paired));
        let (left, right) = (3, 2);
        assert_eq!(
            l1(&[0.0; 3], &[0.0; 2]),
            Err(PairedError::LengthMismatch { left, right })
        );
    }

    #[test]
    fn is_infinite_for_equal_images() {
        assert_eq!(psnr(&[0.5], &[0.5]), Ok(f64::INFINITY));
    }
}
