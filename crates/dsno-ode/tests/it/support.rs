//! The golden file, tensors in f64, and the tolerances with their reasons.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use dsno_ode::analytic::GaussianMixture;
use safetensors::SafeTensors;
use serde_json::Value;

/// Formulas in f64 against formulas in f64: relative, with some room for rounding in `tan` and `ln`.
pub(crate) const CLOSED_FORM: f64 = 1e-12;
/// A few dozen operations in f64 on numbers up to 1e3, relative to the larger of 1 and the value.
pub(crate) const MIXTURE: f64 = 1e-9;
/// The paper's kept times are stored as f32.
pub(crate) const F32: f64 = 6e-8;

/// Returns the part of `tests/golden/ode.json` under a path of keys.
pub(crate) fn golden(path: &[&str]) -> Value {
    golden_in("ode.json", path)
}

/// Returns the part of a golden file under a path of keys.
pub(crate) fn golden_in(name: &str, path: &[&str]) -> Value {
    let whole: Value = serde_json::from_slice(&read(name)).expect("the golden file is JSON");
    path.iter().fold(whole, |value, key| value[key].clone())
}

/// Returns the bytes of a golden file.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    std::fs::read(folder.join(name)).expect("the golden file is readable")
}

/// Returns the numbers of a tensor in a golden safetensors file, if it is there.
pub(crate) fn stored(file: &[u8], key: &str) -> Option<Vec<f64>> {
    let tensors = SafeTensors::deserialize(file).expect("the golden file is safetensors");
    let view = tensors.tensor(key).ok()?;
    let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    Some(view.data().chunks(8).map(number).collect())
}

/// Makes a tensor in f64.
pub(crate) fn tensor(values: Vec<f64>, shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(
        TensorData::new(values, shape),
        (&Device::flex(), DType::F64),
    )
}

/// Returns the numbers of a nested list in C-order.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// Makes states `[B, 2, 1, 1]` in f64 of a list of points in the plane.
pub(crate) fn points(value: &Value) -> Tensor<4> {
    let values = numbers(value);
    let shape = [values.len() / 2, 2, 1, 1];
    tensor(values, shape)
}

pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.try_to_vec_as::<f64>().expect("readable")
}

pub(crate) fn mixture() -> GaussianMixture {
    let part = |key| golden(&["mixture", key]);
    let means = numbers(&part("means"))
        .chunks(2)
        .map(<[f64]>::to_vec)
        .collect();
    GaussianMixture::new(numbers(&part("weights")), means, numbers(&part("stds"))).expect("valid")
}

/// Asserts agreement relative to the larger of 1 and the expected value.
#[track_caller]
pub(crate) fn assert_agree(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a - b).abs() / b.abs().max(1.0);
        assert!(
            error <= tolerance,
            "element {i}: found {a}, expected {b}, error {error:e}"
        );
    }
}

pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}
