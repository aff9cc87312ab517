use burn::tensor::Tensor;

use super::{Denoiser, DenoiserError};
use crate::Amplitudes;

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
/// `p (D − 1)`, as `torch.quantile` and NumPy do. It is found by a top-k operation on the device, of
/// `(1 − p) (D − 1)` values: `p` near 1, as in the paper (0.995), is cheap. Optionally `s` is held to
/// at most a given value.
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
/// use dsno_ode::{Amplitudes, Denoiser, DynamicThreshold, from_fn};
///
/// let model = DynamicThreshold::new(from_fn(|z_t, _| z_t), 0.75)?;
/// let z_t = Tensor::<1>::from_floats([0.5, -1.0, 2.0, 4.0, -8.0], &Device::flex());
/// let x_hat = model.denoise(z_t.reshape([1, 1, 1, 5]), Amplitudes::from_log_snr(0.0));
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
    fn denoise(&self, z_t: Tensor<4>, at: Amplitudes) -> Tensor<4> {
        let x_hat = self.model.denoise(z_t, at);
        let shape = x_hat.dims();
        let [b, c, h, w] = shape;
        if b * c * h * w == 0 {
            return x_hat;
        }
        let x_hat = x_hat.reshape([b, c * h * w]);
        let threshold = quantile(x_hat.clone().abs(), self.percentile).clamp(1.0, self.largest);
        let scaled = x_hat / threshold;
        scaled.clamp(-1.0, 1.0).reshape(shape)
    }
}

/// Returns the `p`-quantile of every row of `[B, D]`, as `[B, 1]`.
fn quantile(values: Tensor<2>, p: f64) -> Tensor<2> {
    let [_, d] = values.dims();
    let place = p * (d - 1) as f64;
    let (below, fraction) = (place.floor() as usize, place.fract());
    // Descending, entry j is the order statistic d − 1 − j.
    let top = values.topk(d - below, 1);
    let low = top.clone().narrow(1, d - 1 - below, 1);
    if fraction == 0.0 {
        return low;
    }
    let high = top.narrow(1, d - 2 - below, 1);
    low * (1.0 - fraction) + high * fraction
}
