//! The 3×3 convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::init::Initializer;

/// A 3×3 convolution with stride 1 that keeps the size (one pixel of zeros around the map).
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    /// `[out, in, 3, 3]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Convolution {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels_in: usize,
        channels_out: usize,
        scale: f64,
    ) -> Self {
        let fans = [9 * channels_in, 9 * channels_out];
        Self {
            weight: init.fan_average([channels_out, channels_in, 3, 3], fans, scale),
            bias: init.zeros([channels_out]),
        }
    }

    /// `[N, in, H, W]` to `[N, out, H, W]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}
