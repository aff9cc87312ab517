//! The temporal convolution's kernel as an operation of burn's CPU backend, and its gradient.

use burn_flex::FlexTensor;

use crate::cpu::temporal::{self, TemporalShape};
use crate::flex::{Contiguous, operation::Kernel};

/// Of `u` and the weight.
#[derive(Debug)]
pub(super) struct Temporal {
    pub(super) times: usize,
}

impl Kernel<2> for Temporal {
    /// The shape and the weight.
    type Memory = (TemporalShape, Contiguous);

    fn forward(self, [u, weight]: [Contiguous; 2]) -> (FlexTensor, Self::Memory) {
        let ([n, h, w, channels], [_, _, modes, _]) = (u.dims(), weight.dims());
        let shape = TemporalShape {
            samples: n / self.times,
            times: self.times,
            pixels: h * w,
            channels,
            modes,
        };
        let y = temporal::forward(shape, u.slice(), weight.slice());
        (u.with_values(y), (shape, weight))
    }

    fn backward(
        (shape, weight): &Self::Memory,
        u: &Contiguous,
        dy: &Contiguous,
        _: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let (du, dweight) = temporal::backward(*shape, u.slice(), weight.slice(), dy.slice());
        [Some(u.with_values(du)), Some(weight.with_values(dweight))]
    }
}
