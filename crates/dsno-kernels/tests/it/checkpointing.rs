//! Activations that are computed again on the way back give the same gradients.

use burn::tensor::{DType, Device, Tensor};
use dsno_kernels::{Resample, attention, conv1x1, conv3x3, resample, silu, temporal_convolution};

use crate::compare::pass;

fn network(inputs: Vec<Tensor<1>>) -> Tensor<1> {
    let [x, weight, bias, square, temporal] =
        <[Tensor<1>; 5]>::try_from(inputs).expect("five inputs");
    let (weight, square) = (weight.reshape([12, 12, 3, 3]), square.reshape([12, 12]));
    let x = x.reshape([4, 6, 6, 12]);
    // Sums and products of burn's own are what it computes again.
    let h = silu(conv3x3(x.clone() * 2.0, weight, bias.clone(), Some(x.clone())) + 0.5);
    let h = temporal_convolution(
        conv1x1(h, square, bias, None) * 3.0,
        temporal.reshape([12, 12, 2, 2]),
        4,
    );
    let h = attention(resample(h, Resample::Halve).reshape([4, 9, 12]) * 0.7, 2);
    h.reshape([4 * 9 * 4])
}

#[test]
fn gradients_are_the_same() {
    let lengths = [4 * 6 * 6 * 12, 12 * 12 * 9, 12, 144, 12 * 12 * 4];
    let device = Device::flex().autodiff();
    let kept = pass(&device, DType::F32, &lengths, network);
    let again = pass(
        &device.gradient_checkpointing(),
        DType::F32,
        &lengths,
        network,
    );
    assert_eq!(kept.result, again.result);
    assert_eq!(kept.gradients, again.gradients);
}
