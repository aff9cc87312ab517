use burn::tensor::Tensor;

use super::{AnalyticError, check_dimensions};
use crate::{Denoiser, NoiseLevel};

/// The optimal denoiser of a finite data set: the mean of its images, weighted by likelihood.
///
/// It is what a network of unlimited size would learn from these images, and its samples are the
/// images themselves. That makes it a reference for a trained teacher and for operators on real
/// data, not a generative model.
///
/// ```text
/// r_n = softmax_n( −|z_t − α x_n|² / (2σ²) )
/// x̂   = E[x | z_t] = Σ_n r_n x_n
/// ```
///
/// Karras et al. 2022 (arXiv:2206.00364v2), appendix on the ideal denoiser. Distances are summed from
/// differences, not from inner products: at small `σ` they are scaled by up to `1e9`, and only then do
/// they keep their digits in `f32`. The data are visited in chunks with a running maximum, so memory
/// does not grow with `N`. For `σ < 1e-15` the level counts as `1e-15`: the nearest image is
/// returned, where images are at least some rounding apart.
///
/// # Shapes
///
/// | value    | shape          | range and unit                        |
/// |----------|----------------|---------------------------------------|
/// | data     | `[N, C, H, W]` | clean images, `[-1, 1]`               |
/// | `z_t`    | `[B, C, H, W]` | noisy state, pixel units              |
/// | returned | `[B, C, H, W]` | within the range of the data          |
///
/// The data are converted to the float type of the state at each call if they differ; keep them in
/// the type that is used. They must be on the device of the state.
///
/// # Panics
///
/// [`denoise`](Denoiser::denoise) panics if the state's `C·H·W` is not that of the data.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::analytic::IdealDenoiser;
/// use dsno_ode::{NoiseLevel, Denoiser};
///
/// let device = Device::flex();
/// let images = Tensor::<1>::from_floats([-1.0, 0.0, 1.0], &device).reshape([3, 1, 1, 1]);
/// let model = IdealDenoiser::new(images)?;
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.9, &device);
///
/// let nearest = model.denoise(z_t.clone(), NoiseLevel::from_log_snr(20.0));
/// assert_eq!(nearest.into_scalar::<f32>(), 1.0);
/// let mean = model.denoise(z_t, NoiseLevel::from_log_snr(-20.0));
/// assert!(mean.into_scalar::<f32>().abs() < 1e-3);
/// # Ok::<(), dsno_ode::analytic::AnalyticError>(())
/// ```
#[derive(Debug, Clone)]
pub struct IdealDenoiser {
    /// `[N, D]`
    images: Tensor<2>,
}

impl IdealDenoiser {
    /// Makes the denoiser of the given images `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// * [`AnalyticError::NoImages`] if there is no image, or images have no values.
    pub fn new(images: Tensor<4>) -> Result<Self, AnalyticError> {
        let [n, c, h, w] = images.dims();
        if n * c * h * w == 0 {
            return Err(AnalyticError::NoImages {
                shape: [n, c, h, w],
            });
        }
        Ok(Self {
            images: images.reshape([n, c * h * w]),
        })
    }

    /// Returns the number of values `C·H·W` of an image.
    pub fn dimensions(&self) -> usize {
        self.images.dims()[1]
    }

    /// Computes the posterior mean, visiting `chunk` images at a time.
    pub(super) fn posterior_mean(&self, z_t: Tensor<4>, at: NoiseLevel, chunk: usize) -> Tensor<4> {
        let shape = z_t.dims();
        let [n, d] = self.images.dims();
        check_dimensions(shape, d, "data");

        let images = self.images.clone().cast(z_t.dtype());
        let z_t = z_t.reshape([shape[0], 1, d]);
        let precision = at.sigma().max(SMALLEST_SIGMA).powi(-2);
        let part = |start: usize| {
            let images = images.clone().narrow(0, start, chunk.min(n - start));
            let offset = z_t.clone() - images.clone().unsqueeze_dim::<3>(0) * at.alpha();
            let distances: Tensor<2> = offset.square().sum_dim(2).squeeze_dim(2);
            Running::of(distances * (-0.5 * precision), images)
        };
        let all = (0..n).step_by(chunk).map(part).reduce(Running::merge);
        let all = all.expect("invariant: there is at least one image");
        (all.sum / all.total).reshape(shape)
    }
}

impl Denoiser for IdealDenoiser {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let per_image = z_t.dims()[0] * self.dimensions();
        self.posterior_mean(z_t, at, (CHUNK_VALUES / per_image.max(1)).max(1))
    }
}

/// Number of differences `z_t − α x_n` held at once: 16 MiB in f32.
const CHUNK_VALUES: usize = 1 << 22;

/// Keeps `distance/σ²` within the range of `f32`.
const SMALLEST_SIGMA: f64 = 1e-15;

/// A weighted sum of images, scaled by the largest weight so far.
struct Running {
    /// Largest log weight, `[B, 1]`.
    largest: Tensor<2>,
    /// Sum of the weights divided by `exp(largest)`, `[B, 1]`.
    total: Tensor<2>,
    /// Sum of weight · image divided by `exp(largest)`, `[B, D]`.
    sum: Tensor<2>,
}

impl Running {
    /// Sums one chunk: log weights `[B, n]` of images `[n, D]`.
    fn of(log_weights: Tensor<2>, images: Tensor<2>) -> Self {
        let largest = log_weights.clone().max_dim(1);
        let weights = (log_weights - largest.clone()).exp();
        Self {
            largest,
            total: weights.clone().sum_dim(1),
            sum: weights.matmul(images),
        }
    }

    /// Adds two sums on the scale of the larger weight.
    fn merge(self, other: Self) -> Self {
        let largest = self.largest.clone().max_pair(other.largest.clone());
        let (a, b) = (
            (self.largest - largest.clone()).exp(),
            (other.largest - largest.clone()).exp(),
        );
        Self {
            largest,
            total: self.total * a.clone() + other.total * b.clone(),
            sum: self.sum * a + other.sum * b,
        }
    }
}
