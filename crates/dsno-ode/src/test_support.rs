//! Tensors in f64 and comparisons for the unit tests of this crate.

use burn::tensor::{DType, Device, Tensor, TensorData};

pub(crate) fn f64_tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

/// Shapes one number per sample to broadcast over images: `[B, 1, 1, 1]`.
pub(crate) fn column<const B: usize>(values: [f64; B]) -> Tensor<4> {
    f64_tensor(&values, [B, 1, 1, 1])
}

pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.try_to_vec_as::<f64>().expect("readable")
}

/// Asserts that no element differs by more than `tolerance`.
#[track_caller]
pub(crate) fn assert_close<const D: usize>(
    found: &Tensor<D>,
    expected: &Tensor<D>,
    tolerance: f64,
) {
    assert_eq!(found.dims(), expected.dims());
    for (i, (a, b)) in values(found).into_iter().zip(values(expected)).enumerate() {
        assert!(
            (a - b).abs() <= tolerance,
            "element {i}: found {a}, expected {b}"
        );
    }
}
