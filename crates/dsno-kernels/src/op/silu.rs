//! The sigmoid-weighted linear unit.

use burn::tensor::{Tensor, activation};

/// Computes `x · sigmoid(x)` (Ramachandran et al. 2017, arXiv:1710.05941v2, with β = 1).
///
/// Its gradient is finite for every finite `x`.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        return crate::flex::operation::apply(kernel::Silu, [Some(x.into_dispatch())]);
    }
    activation::silu(x)
}

#[cfg(feature = "flex")]
mod kernel {
    use burn_flex::FlexTensor;

    use crate::cpu::activation;
    use crate::flex::{Contiguous, operation::Kernel};

    #[derive(Debug)]
    pub(super) struct Silu;

    impl Kernel<1> for Silu {
        type Memory = ();

        fn forward(self, [x]: [Contiguous; 1]) -> (FlexTensor, ()) {
            (x.with_values(activation::silu(x.slice())), ())
        }

        fn backward(
            (): &(),
            x: &Contiguous,
            dy: &Contiguous,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let dx = activation::silu_backward(x.slice(), dy.slice());
            [Some(x.with_values(dx))]
        }
    }
}
