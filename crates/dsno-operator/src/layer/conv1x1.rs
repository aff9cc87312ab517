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
    pub(crate) fn new(init: &mut Initializer<'_>, channels: [usize; 2], scale: f64) -> Self {
        Self {
            weight: init.fan_average(channels, channels, scale),
            bias: init.zeros([channels[1]]),
        }
    }

    /// `[N, H, W, in]` to `[N, H, W, out]`, with `residual` added.
    pub(crate) fn forward(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        conv1x1(x, self.weight.val(), self.bias.val(), residual)
    }
}
