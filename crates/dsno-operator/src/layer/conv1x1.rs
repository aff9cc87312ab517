//! A linear map of channels, the same at every pixel.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::conv1x1;

use crate::init::Initializer;

/// A 1×1 convolution whose weight is stored `[in, out]` ('network in network').
#[derive(Module, Debug)]
pub(crate) struct Conv1x1 {
    /// `[in, out]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Conv1x1 {
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

    /// `[N, H, W, in]` to `[N, H, W, out]`, with `residual` added.
    pub(crate) fn forward(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        conv1x1(x, self.weight.val(), self.bias.val(), residual)
    }
}
