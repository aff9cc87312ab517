//! A linear map of vectors.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::init::Initializer;

/// `y = x·W + b` for rows `x`.
#[derive(Module, Debug)]
pub(crate) struct Dense {
    /// `[in, out]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Dense {
    pub(crate) fn new(init: &mut Initializer<'_>, fan_in: usize, fan_out: usize) -> Self {
        Self {
            weight: init.fan_average([fan_in, fan_out], [fan_in, fan_out], 1.0),
            bias: init.zeros([fan_out]),
        }
    }

    /// The map of one-hot rows; weights and bias uniform in `±1/√in`.
    pub(crate) fn of_classes(init: &mut Initializer<'_>, classes: usize, fan_out: usize) -> Self {
        let bound = 1.0 / (classes as f64).sqrt();
        Self {
            weight: init.uniform([classes, fan_out], -bound, bound),
            bias: init.uniform([fan_out], -bound, bound),
        }
    }

    /// `[N, in]` to `[N, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }
}
