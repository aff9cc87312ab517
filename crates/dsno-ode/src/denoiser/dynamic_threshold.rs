use burn::tensor::{Int, Tensor};

use super::{Denoiser, DenoiserError};
use crate::NoiseLevel;

/// A denoiser whose predictions are scaled back into the image range, sample by sample.
///
/// Strong guidance drives predictions beyond `[-1, 1]`; [`Clamped`](crate::Clamped) would saturate
/// them. Here a sample's prediction is clamped to `±s` and divided by `s`, where `s` is a percentile
/// of its absolute values, so that few values saturate and the others keep their contrast. A sample
/// within the range is left as it is, except for clamping.
///
/// ```text
/// s = max(1, quantile_p |x̂|)          over the D = C·H·W values of a sample
/// x̂ ← min(max(x̂, −s), s) / s
/// ```
///
/// The quantile is interpolated linearly between the order statistics `k` and `k + 1` around
/// `p (D − 1)`, as `torch.quantile` and NumPy do. The first of them is found by bisection: the values
/// below a bound are counted until it is known to `2⁻⁴⁰` of the largest value. That takes some 200
/// small tensor operations and no sorting, which most devices would do on the host. Optionally `s` is
/// held to at most a given value.
///
/// NaN and infinity are not hidden by the clamping: a sample that holds one becomes NaN, and a solve
/// stops on it.
///
/// Saharia et al. 2022 (arXiv:2205.11487), section on dynamic thresholding.
///
/// # Shapes
///
/// Those of [`Denoiser::denoise`].
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Denoiser, DynamicThreshold, from_fn};
///
/// let model = DynamicThreshold::new(from_fn(|z_t, _| z_t), 0.75)?;
/// let z_t = Tensor::<1>::from_floats([0.5, -1.0, 2.0, 4.0, -8.0], &Device::flex());
/// let x_hat = model.denoise(z_t.reshape([1, 1, 1, 5]), NoiseLevel::from_log_snr(0.0));
/// // Three quarters of the values are at most 4.
/// assert_eq!(x_hat.try_into_vec_as::<f32>()?, [0.125, -0.25, 0.5, 1.0, -1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DynamicThreshold<M> {
    model: M,
    percentile: f64,
    largest: f64,
}

impl<M: Denoiser> DynamicThreshold<M> {
    /// Wraps a model; `percentile` is `p`, in `(0, 1]`.
    ///
    /// # Errors
    ///
    /// * [`DenoiserError::Percentile`] unless `0 < percentile <= 1`.
    pub fn new(model: M, percentile: f64) -> Result<Self, DenoiserError> {
        // Not the negated comparisons: NaN must not pass.
        let inside = percentile > 0.0 && percentile <= 1.0;
        if !inside {
            return Err(DenoiserError::Percentile { percentile });
        }
        Ok(Self {
            model,
            percentile,
            largest: f64::INFINITY,
        })
    }

    /// Holds `s` to at most `largest`, at least 1.
    ///
    /// # Errors
    ///
    /// * [`DenoiserError::LargestThreshold`] unless `largest >= 1`.
    pub fn at_most(self, largest: f64) -> Result<Self, DenoiserError> {
        // Not `largest < 1`: NaN must not pass.
        let enough = largest >= 1.0;
        if !enough {
            return Err(DenoiserError::LargestThreshold { largest });
        }
        Ok(Self { largest, ..self })
    }
}

impl<M: Denoiser> Denoiser for DynamicThreshold<M> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let x_hat = self.model.denoise(z_t, at);
        let shape = x_hat.dims();
        let [b, c, h, w] = shape;
        if b * c * h * w == 0 {
            return x_hat;
        }
        let x_hat = x_hat.reshape([b, c * h * w]);
        let values = x_hat.clone().abs();
        let largest = values.clone().max_dim(1);
        let threshold = quantile(values, largest.clone(), self.percentile);
        // 0, or NaN where the largest value is not finite.
        let poison = largest * 0.0;
        let threshold = threshold.clamp(1.0, self.largest) + poison;
        (x_hat / threshold).clamp(-1.0, 1.0).reshape(shape)
    }
}

/// Returns the `p`-quantile of every row of `[B, D]`, none of them negative, as `[B, 1]`.
fn quantile(values: Tensor<2>, largest: Tensor<2>, p: f64) -> Tensor<2> {
    let [_, d] = values.dims();
    let place = p * (d - 1) as f64;
    let (below, fraction) = (place.floor() as i64, place.fract());
    let low = order_statistic(&values, largest, below);
    if fraction == 0.0 {
        return low;
    }
    // The next one is the same value if that occurs more than once, else the least one above it.
    let repeated = count_up_to(&values, &low).greater_elem(below + 1);
    let next = least_above(values, &low);
    let high = next.mask_where(repeated, low.clone());
    low * (1.0 - fraction) + high * fraction
}

/// Returns the value of every row that exactly `below` values precede in order.
fn order_statistic(values: &Tensor<2>, largest: Tensor<2>, below: i64) -> Tensor<2> {
    // At most `below` values are up to `low`, more than `below` are up to `high`.
    let mut low = largest.zeros_like() - 1.0;
    let mut high = largest;
    for _ in 0..BISECTIONS {
        let middle = (low.clone() + high.clone()) * 0.5;
        let enough = count_up_to(values, &middle).greater_elem(below);
        low = middle.clone().mask_where(enough.clone(), low);
        high = high.mask_where(enough, middle);
    }
    least_above(values.clone(), &low)
}

/// Counts the values of every row that are at most `bound`, `[B, 1]`.
fn count_up_to(values: &Tensor<2>, bound: &Tensor<2>) -> Tensor<2, Int> {
    let within = values
        .clone()
        .lower_equal(bound.clone().expand(values.shape()));
    within.int().sum_dim(1)
}

/// Returns the least value of every row above `bound`, `[B, 1]`; infinity if there is none.
fn least_above(values: Tensor<2>, bound: &Tensor<2>) -> Tensor<2> {
    let not_above = values
        .clone()
        .lower_equal(bound.clone().expand(values.shape()));
    values.mask_fill(not_above, f64::INFINITY).min_dim(1)
}

/// Halvings of the interval between −1 and the largest value.
const BISECTIONS: usize = 40;
