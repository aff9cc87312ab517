//! One operation in two precisions.

use burn::tensor::{DType, Device, Tensor, TensorData};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Values on `[-1, 1)`, a function of the seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Few enough bits that f32 holds them.
    (0..len)
        .map(|_| f64::from(rng.next_u32() >> 8) / 8_388_608.0 - 1.0)
        .collect()
}

/// What came of one pass there and back.
pub(crate) struct Pass {
    pub(crate) result: Vec<f64>,
    /// By each input.
    pub(crate) gradients: Vec<Vec<f64>>,
}

/// Runs `operation` on flat inputs of the given lengths, and goes back from a fixed projection.
pub(crate) fn pass(
    device: &Device,
    dtype: DType,
    lengths: &[usize],
    operation: impl Fn(Vec<Tensor<1>>) -> Tensor<1>,
) -> Pass {
    let tensor = |seed: u64, len: usize| {
        let data = TensorData::new(noise(seed, len), [len]).convert_dtype(dtype);
        Tensor::<1>::from_data(data, (device, dtype))
    };
    let inputs: Vec<Tensor<1>> = lengths
        .iter()
        .zip(1..)
        .map(|(&len, seed)| tensor(seed, len).require_grad())
        .collect();
    let y = operation(inputs.clone());
    let result = y.to_data().iter::<f64>().collect();
    let probe = tensor(99, y.dims()[0]);
    let gradients = (y * probe).sum().backward();
    let of = |input: &Tensor<1>| {
        let gradient = input.grad(&gradients).expect("every input matters");
        gradient.into_data().iter::<f64>().collect()
    };
    Pass {
        result,
        gradients: inputs.iter().map(of).collect(),
    }
}

/// `‖found − expected‖ / ‖expected‖`.
pub(crate) fn relative_rms(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error: f64 = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).powi(2))
        .sum();
    let scale: f64 = expected.iter().map(|e| e * e).sum();
    (error / scale).sqrt()
}

/// Holds the kernel's results and gradients to those of the composition.
pub(crate) fn check(
    name: &str,
    tolerance: f64,
    lengths: &[usize],
    operation: impl Fn(Vec<Tensor<1>>) -> Tensor<1>,
) {
    let device = Device::flex().autodiff();
    let kernel = pass(&device, DType::F32, lengths, &operation);
    let exact = pass(&device, DType::F64, lengths, &operation);
    let error = relative_rms(&kernel.result, &exact.result);
    assert!(error < tolerance, "{name}: result {error:e}");
    for (input, (found, expected)) in kernel.gradients.iter().zip(&exact.gradients).enumerate() {
        let error = relative_rms(found, expected);
        assert!(
            error < tolerance,
            "{name}: gradient by input {input} {error:e}"
        );
    }
}
