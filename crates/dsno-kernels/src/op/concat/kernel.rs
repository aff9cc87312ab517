//! The concatenation's kernel as an operation of burn's CPU backend, and its gradient.

use burn_flex::FlexTensor;

use crate::cpu::concat;
use crate::flex::{self, Contiguous, operation::Kernel};

#[derive(Debug)]
pub(super) struct Concat;

impl Kernel<2> for Concat {
    /// Maps, height, width, and channels of both.
    type Memory = ([usize; 3], [usize; 2]);

    const READS: bool = false;

    fn forward(self, [one, other]: [Contiguous; 2]) -> (FlexTensor, Self::Memory) {
        let ([n, h, w, a], [_, _, _, b]) = (one.dims(), other.dims());
        let both = concat::forward(n * h * w, [a, b], one.slice(), other.slice());
        (flex::tensor(both, [n, h, w, a + b]), ([n, h, w], [a, b]))
    }

    fn backward(
        &([n, h, w], widths @ [a, b]): &Self::Memory,
        _: &Contiguous,
        dy: &Contiguous,
        _: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [one, other] = concat::backward(n * h * w, widths, dy.slice());
        let tensor = |values, channels| Some(flex::tensor(values, [n, h, w, channels]));
        [tensor(one, a), tensor(other, b)]
    }
}
