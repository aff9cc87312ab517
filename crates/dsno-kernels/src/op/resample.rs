//! Halving by 2×2 averages and doubling by repetition.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use crate::resample::Resample;

/// Changes the size of maps `[N, H, W, C]`.
pub fn resample(x: Tensor<4>, change: Resample) -> Tensor<4> {
    if change == Resample::Keep {
        return x;
    }
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) && change.fits(&x) {
        return crate::flex::operation::apply(change, [Some(x.into_dispatch())]);
    }
    let [n, h, w, c] = x.dims();
    match change {
        Resample::Keep => x,
        Resample::Halve => {
            let halved = avg_pool2d(x.permute([0, 3, 1, 2]), AvgPoolOptions::new([2, 2]));
            halved.permute([0, 2, 3, 1])
        }
        Resample::Double => x
            .reshape([n * h, 1, w, 1, c])
            .expand([n * h, 2, w, 2, c])
            .reshape([n, 2 * h, 2 * w, c]),
    }
}

#[cfg(feature = "flex")]
mod kernel {
    use burn::tensor::Tensor;
    use burn_flex::FlexTensor;

    use crate::cpu::resample;
    use crate::flex::{self, Contiguous, operation::Kernel};
    use crate::resample::Resample;

    impl Resample {
        /// Height and width after the change.
        pub(in crate::op) fn of(self, size: [usize; 2]) -> [usize; 2] {
            match self {
                Self::Keep => size,
                Self::Halve => size.map(|side| side / 2),
                Self::Double => size.map(|side| 2 * side),
            }
        }

        /// Whether a kernel exists: halving an odd size is composed.
        pub(in crate::op) fn fits(self, x: &Tensor<4>) -> bool {
            let [_, h, w, _] = x.dims();
            self != Self::Halve || (h.is_multiple_of(2) && w.is_multiple_of(2))
        }
    }

    impl Kernel<1> for Resample {
        type Memory = Self;

        fn forward(self, [x]: [Contiguous; 1]) -> (FlexTensor, Self) {
            let [n, h, w, c] = x.dims();
            let y = resample::forward(self, [n, h, w, c], x.slice());
            let [h, w] = self.of([h, w]);
            (flex::tensor(y, [n, h, w, c]), self)
        }

        fn backward(
            change: &Self,
            x: &Contiguous,
            dy: &Contiguous,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let dx = resample::backward(*change, x.dims(), dy.slice());
            [Some(x.with_values(dx))]
        }
    }
}
