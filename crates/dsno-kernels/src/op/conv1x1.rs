//! The 1×1 convolution.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
mod kernel;

/// A linear map of channels, the same at every pixel (a 1×1 convolution).
///
/// ```text
/// y[…, o] = bias[o] + Σ x[…, c] · weight[c, o]  (+ residual[…, o])
/// ```
///
/// # Shapes
///
/// | value      | shape              | meaning             |
/// |------------|--------------------|---------------------|
/// | `x`        | `[N, H, W, C_in]`  | channels-last maps  |
/// | `weight`   | `[C_in, C_out]`    |                     |
/// | `bias`     | `[C_out]`          |                     |
/// | `residual` | `[N, H, W, C_out]` | added to the result |
/// | returned   | `[N, H, W, C_out]` |                     |
///
/// # Panics
///
/// If shapes do not fit, as burn's operations do.
pub fn conv1x1(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let [n, h, w, channels_in] = x.dims();
    let [given, channels_out] = weight.dims();
    assert_eq!(channels_in, given, "weights of another map");
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        let inputs = [
            Some(x.into_dispatch()),
            Some(weight.into_dispatch()),
            Some(bias.into_dispatch()),
            residual.map(Tensor::into_dispatch),
        ];
        return crate::flex::operation::apply(kernel::Conv1x1, inputs);
    }
    let rows = x.reshape([n * h * w, channels_in]).matmul(weight) + bias.unsqueeze();
    let y = rows.reshape([n, h, w, channels_out]);
    match residual {
        Some(residual) => y + residual,
        None => y,
    }
}
