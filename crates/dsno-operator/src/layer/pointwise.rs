//! A linear map of channels, the same at every pixel.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::init::Initializer;

/// A 1×1 convolution whose weight is stored `[in, out]` ('network in network').
#[derive(Module, Debug)]
pub(crate) struct Pointwise {
    /// `[in, out]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Pointwise {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels_in: usize,
        channels_out: usize,
        scale: f64,
    ) -> Self {
        let shape = [channels_in, channels_out];
        Self {
            weight: init.fan_average(shape, shape, scale),
            bias: init.zeros([channels_out]),
        }
    }

    /// `[N, in, H, W]` to `[N, out, H, W]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let [channels_in, channels_out] = weight.dims();
        let kernel = weight
            .transpose()
            .reshape([channels_out, channels_in, 1, 1]);
        conv2d(
            x,
            kernel,
            Some(self.bias.val()),
            ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
        )
    }
}
