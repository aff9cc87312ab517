//! The 1×1 convolution's kernel as an operation of burn's CPU backend, and its gradient.

use burn_flex::FlexTensor;

use crate::cpu::conv1x1;
use crate::flex::{self, Contiguous, operation::Kernel};

/// Of `x`, weight, bias and residual.
#[derive(Debug)]
pub(super) struct Conv1x1;

impl Kernel<4> for Conv1x1 {
    /// The weight.
    type Memory = Contiguous;

    const RESIDUAL: bool = true;

    fn forward(self, [x, weight, bias, residual]: [Contiguous; 4]) -> (FlexTensor, Self::Memory) {
        let ([n, h, w, _], shape @ [_, channels_out]) = (x.dims(), weight.dims());
        let y = conv1x1::forward(
            n * h * w,
            shape,
            x.slice(),
            weight.slice(),
            Some(bias.slice()),
            residual.present(),
        );
        (flex::tensor(y, [n, h, w, channels_out]), weight)
    }

    fn backward(
        weight: &Contiguous,
        x: &Contiguous,
        dy: &Contiguous,
        [wants_x, ..]: [bool; 4],
    ) -> [Option<FlexTensor>; 4] {
        let ([n, h, w, _], shape @ [_, channels_out]) = (x.dims(), weight.dims());
        let found = conv1x1::backward(
            n * h * w,
            shape,
            x.slice(),
            weight.slice(),
            dy.slice(),
            wants_x,
        );
        [
            found.x.map(|dx| x.with_values(dx)),
            Some(weight.with_values(found.weight)),
            Some(flex::tensor(found.bias, [channels_out])),
            None,
        ]
    }
}
