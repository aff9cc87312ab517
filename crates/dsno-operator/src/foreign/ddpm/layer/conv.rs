use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::init::Initializer;

/// A convolution with a square kernel.
#[derive(Module, Debug)]
pub(in crate::foreign::ddpm) struct Conv {
    /// `[out, in, k, k]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    /// Zeros before and after each axis.
    #[module(skip)]
    padding: (usize, usize),
}

impl Conv {
    /// A convolution that keeps the size, for an odd kernel.
    pub(in crate::foreign::ddpm) fn new(
        init: &mut Initializer<'_>,
        channels: [usize; 2],
        kernel: usize,
    ) -> Self {
        Self::strided(init, channels, kernel, 1, (kernel / 2, kernel / 2))
    }

    pub(in crate::foreign::ddpm) fn strided(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: (usize, usize),
    ) -> Self {
        let fans = [channels_in, channels_out].map(|channels| channels * kernel * kernel);
        Self {
            weight: init.fan_average([channels_out, channels_in, kernel, kernel], fans, 1.0),
            bias: init.zeros([channels_out]),
            stride,
            padding,
        }
    }

    /// `[N, in, H, W]` to `[N, out, H/stride, W/stride]`.
    pub(in crate::foreign::ddpm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new_with_padding([self.stride; 2], [self.padding; 2], [1, 1], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}
