//! A linear map of vectors.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::init::Initializer;

/// `y = x·W + b` for rows `x`.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// `[in, out]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    pub(crate) fn new(init: &mut Initializer<'_>, fan_in: usize, fan_out: usize) -> Self {
        Self {
            weight: init.fan_average([fan_in, fan_out], [fan_in, fan_out], 1.0),
            bias: Some(init.zeros([fan_out])),
        }
    }

    /// A map of rows that name one of `fan_in` things; weights and bias uniform in `±1/√in`.
    pub(crate) fn of_rows(
        init: &mut Initializer<'_>,
        fan_in: usize,
        fan_out: usize,
        bias: bool,
    ) -> Self {
        let bound = 1.0 / (fan_in as f64).sqrt();
        Self {
            weight: init.uniform([fan_in, fan_out], -bound, bound),
            bias: bias.then(|| init.uniform([fan_out], -bound, bound)),
        }
    }

    /// `[N, in]` to `[N, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.val());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}
