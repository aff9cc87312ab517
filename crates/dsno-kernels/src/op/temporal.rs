//! The Fourier convolution along time.

use burn::tensor::{
    Tensor, TensorData,
    activation::{leaky_relu, relu},
};

#[cfg(feature = "flex")]
mod kernel;

use crate::fourier::{Product, products};

/// Slope of the activation for negative values.
const LEAK: f64 = 0.01;

/// Mixes the time points of a trajectory through their lowest Fourier modes.
///
/// ```text
/// y = u + LeakyReLU₀.₀₁(irfft_T(R · rfft_T(u)[:M]))
/// ```
///
/// `R` holds one complex channel matrix per mode; there is no bias and no normalisation. This is the
/// temporal block of Zheng et al. 2023 (arXiv:2211.13449v3, section 4).
///
/// The transforms are small real matrices, which is exact for every `T`, runs on every backend and
/// has gradients. Between them a mode `a + ib` meets its `P + iQ` in three real products (Gauss's trick):
///
/// ```text
/// k₁ = P(a + b)    k₂ = (Q − P)a    k₃ = (P + Q)b
/// re = k₁ − k₃     im = k₁ + k₂
/// ```
///
/// The sums are part of the matrices. What `irfft` ignores, the imaginary parts of the constant mode
/// and of the Nyquist mode of an even `T`, has no effect.
///
/// # Shapes
///
/// | value    | shape            | meaning                                                       |
/// |----------|------------------|---------------------------------------------------------------|
/// | `u`      | `[B·T, H, W, C]` | channels-last maps, sample-major: row `b·T + t`               |
/// | `weight` | `[C, C, M, 2]`   | input channel, output channel, mode, real and imaginary part  |
/// | returned | `[B·T, H, W, C]` | the same order                                                |
///
/// # Panics
///
/// If the rows are no multiple of `times`, the channels are not the weight's, or `times > 1` has
/// fewer than `M` modes (`M > T/2 + 1`). A single time has only the constant mode.
pub fn temporal_convolution(u: Tensor<4>, weight: Tensor<4>, times: usize) -> Tensor<4> {
    let [n, _, _, c] = u.dims();
    let [channels_in, channels_out, n_modes, _] = weight.dims();
    assert_eq!(
        [c, c],
        [channels_in, channels_out],
        "weights of other channels"
    );
    assert!(
        n.is_multiple_of(times),
        "{n} maps are not a multiple of {times} times"
    );
    assert!(
        times == 1 || n_modes <= times / 2 + 1,
        "{n_modes} modes do not fit {times} times, which have {}",
        times / 2 + 1
    );
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&u) {
        let inputs = [u, weight].map(|input| Some(input.into_dispatch()));
        return crate::flex::operation::apply(kernel::Temporal { times }, inputs);
    }
    compose(u, weight, times)
}

fn compose(u: Tensor<4>, weight: Tensor<4>, times: usize) -> Tensor<4> {
    let [n, h, w, c] = u.dims();
    let [_, _, n_modes, _] = weight.dims();
    let b = n / times;

    let products = products(times, n_modes.min(times / 2 + 1));
    let rows = products.len();
    let table = |width: usize, entry: &dyn Fn(&Product, usize) -> f64| {
        let row = |product| (0..width).map(move |column| entry(product, column));
        let values: Vec<f64> = products.iter().flat_map(row).collect();
        let data = TensorData::new(values, [rows, width]).convert_dtype(u.dtype());
        Tensor::<2>::from_data(data, (&u.device(), u.dtype()))
    };
    let analysis = table(times, &|product, t| product.analysis(t, times));
    let synthesis = table(times, &|product, t| product.synthesis(t, times)).transpose();
    // Factors of all values that are stored for a pair of channels.
    let weights = table(2 * n_modes, &|product, at| {
        if at / 2 == product.mode {
            product.weights[at % 2]
        } else {
            0.0
        }
    });

    // One matrix for each product: [rows, in, out].
    let weights = weights.matmul(weight.reshape([c * c, 2 * n_modes]).transpose());
    let weights = weights.reshape([1, rows, c, c]);
    let spectrum = analysis
        .unsqueeze()
        .matmul(u.clone().reshape([b, times, h * w * c]));
    let mixed = spectrum.reshape([b, rows, h * w, c]).matmul(weights);
    let out = synthesis
        .unsqueeze()
        .matmul(mixed.reshape([b, rows, h * w * c]));
    add_active(u, out.reshape([n, h, w, c]))
}

/// `u + LeakyReLU(x)`.
///
/// Under autodiff burn composes that activation of a comparison and a choice, which take more time
/// than all of the layer's products; ReLU has a rule of its own.
fn add_active(u: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    if x.device().is_autodiff() {
        (u + x.clone()) + relu(-x) * (1.0 - LEAK)
    } else {
        u + leaky_relu(x, LEAK)
    }
}
