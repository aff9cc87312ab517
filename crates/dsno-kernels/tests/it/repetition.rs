//! The same call gives the same bits.

use burn::tensor::{DType, Device};
use dsno_kernels::conv3x3;

use crate::compare::pass;

#[test]
fn two_passes_of_a_large_convolution_are_bit_identical() {
    let [n, h, w, i, o] = [24, 16, 16, 32, 48];
    let lengths = [n * h * w * i, o * i * 9, o];
    let device = Device::flex().autodiff();
    let run = || {
        pass(&device, DType::F32, &lengths, |inputs| {
            let mut inputs = inputs.into_iter();
            let mut next = || inputs.next().expect("three inputs");
            let (x, weight, bias) = (next(), next(), next());
            let y = conv3x3(
                x.reshape([n, h, w, i]),
                weight.reshape([o, i, 3, 3]),
                bias,
                None,
            );
            y.reshape([n * h * w * o])
        })
    };
    let (first, second) = (run(), run());
    assert_eq!(first.result, second.result);
    assert_eq!(first.gradients, second.gradients);
}
