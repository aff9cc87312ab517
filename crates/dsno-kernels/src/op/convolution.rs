//! The 3×3 convolution, alone and behind a normalisation.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use super::norm::{GroupNorm, group_norm_silu};
use super::resample::resample;
use crate::resample::Resample;

#[cfg(feature = "flex")]
mod kernel;

/// Convolves with 3×3 weights, stride 1, and one pixel of zeros around the map.
///
/// ```text
/// y[n, i, j, o] = bias[o] + Σ weight[o, c, a, b] · x[n, i+a−1, j+b−1, c]  (+ residual[n, i, j, o])
/// ```
///
/// The kernel is Winograd's minimal filtering (Lavin & Gray 2016, arXiv:1509.09308v2, section 4):
/// F(4×4, 3×3) takes a quarter of the multiplications. Its results differ from direct sums by a
/// relative 1e-6 or so.
///
/// # Shapes
///
/// | value      | shape                  | meaning                     |
/// |------------|------------------------|-----------------------------|
/// | `x`        | `[N, H, W, C_in]`      | channels-last maps          |
/// | `weight`   | `[C_out, C_in, 3, 3]`  | as burn's `conv2d` takes it |
/// | `bias`     | `[C_out]`              |                             |
/// | `residual` | `[N, H, W, C_out]`     | added to the result         |
/// | returned   | `[N, H, W, C_out]`     |                             |
///
/// # Panics
///
/// If shapes do not fit, as burn's operations do.
pub fn conv3x3(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    check(&x, &weight);
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        return kernel::run(x, None, weight, bias, residual);
    }
    compose(x, weight, bias, residual)
}

/// Normalises, activates, resamples and convolves: half a residual block in one pass.
///
/// ```text
/// y = conv3x3(resample(SiLU(group_norm(x))), weight, bias) (+ residual)
/// ```
///
/// On the CPU nothing between `x` and `y` leaves the core's cache, forward or backward; the
/// gradient keeps `x` and the statistics and computes the rest again.
///
/// # Shapes
///
/// | value      | shape                  | meaning                                             |
/// |------------|------------------------|-----------------------------------------------------|
/// | `x`        | `[N, H, W, C_in]`      | channels-last maps                                  |
/// | `weight`   | `[C_out, C_in, 3, 3]`  | as burn's `conv2d` takes it                         |
/// | `bias`     | `[C_out]`              |                                                     |
/// | `residual` | `[N, H', W', C_out]`   | added to the result                                 |
/// | returned   | `[N, H', W', C_out]`   | `H' = H`, `H/2` or `2H` by the resampling           |
///
/// # Panics
///
/// If shapes do not fit, as burn's operations do.
pub fn norm_silu_conv3x3(
    x: Tensor<4>,
    norm: GroupNorm,
    change: Resample,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    check(&x, &weight);
    norm.check(&x);
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) && change.fits(&x) {
        return kernel::run(x, Some((norm, change)), weight, bias, residual);
    }
    conv3x3(
        resample(group_norm_silu(x, norm), change),
        weight,
        bias,
        residual,
    )
}

fn check(x: &Tensor<4>, weight: &Tensor<4>) {
    let [_, _, _, channels] = x.dims();
    let [_, channels_in, height, width] = weight.dims();
    assert_eq!(
        [channels, 3, 3],
        [channels_in, height, width],
        "weights of another convolution"
    );
}

fn compose(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let y = conv2d(x.permute([0, 3, 1, 2]), weight, Some(bias), options).permute([0, 2, 3, 1]);
    match residual {
        Some(residual) => y + residual,
        None => y,
    }
}
