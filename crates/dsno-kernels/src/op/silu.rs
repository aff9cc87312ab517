//! The sigmoid-weighted linear unit.

use burn::tensor::{Tensor, activation};

/// Computes `x · sigmoid(x)` (Ramachandran et al. 2017, arXiv:1710.05941v2, with β = 1).
///
/// Its gradient is finite for every finite `x`.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        return crate::flex::unary::apply(x, kernel::Silu);
    }
    activation::silu(x)
}

#[cfg(feature = "flex")]
mod kernel {
    use burn_flex::FlexTensor;

    use crate::cpu::activation;
    use crate::flex::{Contiguous, unary::Unary};

    #[derive(Debug)]
    pub(super) struct Silu;

    impl Unary for Silu {
        fn forward(&self, x: &Contiguous) -> FlexTensor {
            x.with_values(activation::silu(x.slice()))
        }

        fn backward(&self, x: &Contiguous, dy: &Contiguous) -> FlexTensor {
            x.with_values(activation::silu_backward(x.slice(), dy.slice()))
        }
    }
}
