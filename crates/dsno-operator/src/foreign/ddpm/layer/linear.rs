use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::init::Initializer;

/// `y = x·Wᵀ + b` for rows `x`.
#[derive(Module, Debug)]
pub(in crate::foreign::ddpm) struct Linear {
    /// `[out, in]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Linear {
    pub(in crate::foreign::ddpm) fn new(
        init: &mut Initializer<'_>,
        fan_in: usize,
        fan_out: usize,
    ) -> Self {
        Self {
            weight: init.fan_average([fan_out, fan_in], [fan_in, fan_out], 1.0),
            bias: init.zeros([fan_out]),
        }
    }

    /// `[N, in]` to `[N, out]`.
    pub(in crate::foreign::ddpm) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }

    /// Weight `[out, in]` and bias, for use on the channels of maps.
    pub(in crate::foreign::ddpm) fn parts(&self) -> (Tensor<2>, Tensor<1>) {
        (self.weight.val(), self.bias.val())
    }
}
