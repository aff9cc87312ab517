//! The same call gives the same bits, and other numbers of threads nearly the same.

use burn::tensor::{DType, Device, Tensor};
use dsno_kernels::{
    GroupNorm, Resample, attention, conv1x1, norm_silu_conv3x3, temporal_convolution,
};
use rayon::ThreadPoolBuilder;

use crate::compare::{Pass, pass, relative_rms};

/// `[N, H, W, C]`, large enough for several threads.
const MAPS: [usize; 4] = [24, 16, 16, 32];

/// A layer of each kind, there and back.
fn network() -> Pass {
    let [n, h, w, c] = MAPS;
    let square = [c, 3 * c];
    let lengths = [n * h * w * c, c * c * 9, c, c * 3 * c, 3 * c, c * c * 4];
    pass(&Device::flex().autodiff(), DType::F32, &lengths, |inputs| {
        let [x, weight, bias, qkv, qkv_bias, temporal] =
            <[Tensor<1>; 6]>::try_from(inputs).expect("six inputs");
        let norm = GroupNorm {
            gamma: bias.clone() + 1.5,
            beta: bias.clone(),
            groups: 8,
            epsilon: 1e-6,
            modulation: None,
        };
        let (x, weight) = (x.reshape(MAPS), weight.reshape([c, c, 3, 3]));
        let y = norm_silu_conv3x3(x.clone(), norm, Resample::Keep, weight, bias, Some(x));
        let y = temporal_convolution(y, temporal.reshape([c, c, 2, 2]) * 0.1, 4);
        let y = conv1x1(y, qkv.reshape(square), qkv_bias, None) * 0.1;
        attention(y.reshape([n, h * w, 3 * c]), 2).reshape([n * h * w * c])
    })
}

fn on_threads(threads: usize) -> Pass {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a few threads").install(network)
}

#[test]
fn two_passes_are_bit_identical() {
    let (first, second) = (network(), network());
    assert_eq!(first.result, second.result);
    assert_eq!(first.gradients, second.gradients);
}

#[test]
fn threads_change_gradients_of_weights_in_the_last_digits_alone() {
    let one = on_threads(1);
    for threads in [2, 3, 5] {
        let found = on_threads(threads);
        assert_eq!(found.result, one.result);
        assert_eq!(found.gradients[0], one.gradients[0], "gradients of maps");
        for (found, expected) in found.gradients.iter().zip(&one.gradients) {
            // Sums of some thousand f32 values in another order.
            assert!(relative_rms(found, expected) < 1e-6);
        }
    }
}
