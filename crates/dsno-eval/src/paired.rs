//! Errors between paired images: a sampler's endpoint against the teacher's from the same noise.

use burn::tensor::Tensor;
use thiserror::Error;

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

/// Mean errors over all pairs of a [`PairedErrors`] stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedSummary {
    /// Mean over pairs of the mean absolute difference, in pixel units of `[-1, 1]`.
    pub l1: f64,
    /// Mean over pairs of the peak signal-to-noise ratio, in decibels; infinite if a pair is equal.
    pub psnr: f64,
    /// Number of pairs.
    pub count: u64,
}

/// Accumulates paired errors batch by batch: first the mean over a pair's pixels, then over pairs.
///
/// The mean of the ratios is not the ratio of the mean error: each image counts the same in
/// decibels, as is usual for this figure.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::PairedErrors;
///
/// let device = Device::flex();
/// let images = Tensor::<4>::zeros([3, 1, 4, 4], &device);
/// let mut errors = PairedErrors::new();
/// errors.push(images.clone(), images + 0.5)?;
/// let summary = errors.finish()?;
/// assert_eq!((summary.l1, summary.count), (0.5, 3));
/// # Ok::<(), dsno_eval::PairedError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct PairedErrors {
    l1: f64,
    psnr: f64,
    count: u64,
}

impl PairedErrors {
    /// Starts with no pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a batch of pairs from a device.
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit           |
    /// |----------|----------------|--------------------------|
    /// | `a`, `b` | `[B, C, H, W]` | pixel units, `[-1, 1]`   |
    ///
    /// # Errors
    ///
    /// * [`PairedError::ShapeMismatch`] if the shapes differ; nothing is broadcast.
    /// * [`PairedError::NotFloat`] if the tensors cannot be read as `f32`.
    /// * [`PairedError::NonFinite`] if a pixel is infinite or not a number.
    pub fn push(&mut self, a: Tensor<4>, b: Tensor<4>) -> Result<(), PairedError> {
        if a.dims() != b.dims() {
            return Err(PairedError::ShapeMismatch {
                left: a.dims(),
                right: b.dims(),
            });
        }
        let [_, c, h, w] = a.dims();
        let host = |images: Tensor<4>| {
            images
                .into_data()
                .try_into_vec_as::<f32>()
                .map_err(|error| PairedError::NotFloat {
                    found: error.to_string(),
                })
        };
        self.push_host(&host(a)?, &host(b)?, c * h * w)
    }

    /// Takes in a batch of pairs that lie on the host, `[n, pixels]` row-major.
    ///
    /// # Errors
    ///
    /// * [`PairedError::LengthMismatch`] if the lengths differ, or `pixels` does not divide them.
    /// * [`PairedError::NonFinite`] if a pixel is infinite or not a number.
    pub fn push_host(&mut self, a: &[f32], b: &[f32], pixels: usize) -> Result<(), PairedError> {
        if a.len() != b.len() || pixels == 0 || !a.len().is_multiple_of(pixels) {
            return Err(PairedError::LengthMismatch {
                left: a.len(),
                right: b.len(),
            });
        }
        let mut next = *self;
        for (x, y) in a.chunks_exact(pixels).zip(b.chunks_exact(pixels)) {
            let difference = l1(x, y)?;
            if !difference.is_finite() {
                return Err(PairedError::NonFinite { pair: next.count });
            }
            next.l1 += difference;
            next.psnr += psnr(x, y)?;
            next.count += 1;
        }
        *self = next;
        Ok(())
    }

    /// Gives the means over all pairs.
    ///
    /// # Errors
    ///
    /// * [`PairedError::Empty`] if no pair was taken in.
    pub fn finish(self) -> Result<PairedSummary, PairedError> {
        if self.count == 0 {
            return Err(PairedError::Empty);
        }
        let count = self.count as f64;
        Ok(PairedSummary {
            l1: self.l1 / count,
            psnr: self.psnr / count,
            count: self.count,
        })
    }
}

/// What can be wrong with pairs of images.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PairedError {
    /// Two images, or two batches of them, do not have the same number of pixels.
    #[error("{left} pixels cannot be paired with {right}")]
    LengthMismatch {
        /// Pixels on the left.
        left: usize,
        /// Pixels on the right.
        right: usize,
    },
    /// Two batches differ in shape.
    #[error("images of shape {left:?} cannot be paired with {right:?}")]
    ShapeMismatch {
        /// Shape on the left, `[B, C, H, W]`.
        left: [usize; 4],
        /// Shape on the right.
        right: [usize; 4],
    },
    /// A batch cannot be read as floating-point numbers.
    #[error("images cannot be read as f32: {found}")]
    NotFloat {
        /// What the tensor holds.
        found: String,
    },
    /// A pixel is infinite or not a number.
    #[error("pair {pair} holds a pixel that is not finite")]
    NonFinite {
        /// Position of the pair in the stream, from 0.
        pair: u64,
    },
    /// There is no mean over no pairs.
    #[error("no pair of images was measured")]
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_mean_over_pairs_of_each_pairs_own_figure() {
        let (a, b) = ([0.0, 0.0, 0.0, 0.0], [0.2, -0.2, 0.02, 0.02]);
        let mut errors = PairedErrors::new();
        errors.push_host(&a[..2], &b[..2], 2).unwrap();
        errors.push_host(&a[2..], &b[2..], 2).unwrap();
        let summary = errors.finish().unwrap();
        assert!((summary.l1 - 0.11).abs() < 1e-7); // f32 inputs
        assert!((summary.psnr - f64::midpoint(20.0, 40.0)).abs() < 1e-5);
        assert_eq!(summary.count, 2);
    }

    #[test]
    fn takes_in_nothing_of_a_refused_batch() {
        let mut errors = PairedErrors::new();
        assert_eq!(
            errors.push_host(&[0.0, f32::NAN], &[0.0, 0.0], 1),
            Err(PairedError::NonFinite { pair: 1 })
        );
        assert_eq!(errors.finish(), Err(PairedError::Empty));
        assert_eq!(
            errors.push_host(&[0.0; 3], &[0.0; 3], 2),
            Err(PairedError::LengthMismatch { left: 3, right: 3 })
        );
    }

    #[test]
    fn is_infinite_for_equal_images() {
        assert_eq!(psnr(&[0.5], &[0.5]), Ok(f64::INFINITY));
    }
}
