//! Halving by 2×2 averages and doubling by repetition.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use crate::plan::Resample;

impl Resample {
    /// Changes the size of `[N, C, H, W]`.
    pub(crate) fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Keep => x,
            Self::Halve => avg_pool2d(x, AvgPoolOptions::new([2, 2])),
            Self::Double => {
                let [n, c, h, w] = x.dims();
                x.reshape([n * c, h, 1, w, 1])
                    .expand([n * c, h, 2, w, 2])
                    .reshape([n, c, 2 * h, 2 * w])
            }
        }
    }
}
