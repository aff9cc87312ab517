//! A linear map of vectors, stored as PyTorch stores it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Start;
use crate::init::Initializer;

/// `y = W·x + b` for rows `x`.
#[derive(Module, Debug)]
pub(in crate::foreign::edm) struct Linear {
    /// `[out, in]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    pub(in crate::foreign::edm) fn new(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        bias: bool,
        start: Start,
    ) -> Self {
        Self {
            weight: start.weight(init, [channels_out, channels_in]),
            bias: bias.then(|| start.bias(init, channels_in, channels_out)),
        }
    }

    /// `[N, in]` to `[N, out]`.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}
