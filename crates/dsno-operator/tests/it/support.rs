//! Recipes of weights and inputs, and comparisons, as the scripts in `tests/golden/derive` state them.

use std::error::Error;
use std::path::Path;

use burn::tensor::TensorData;
use safetensors::SafeTensors;

/// `2 frac(43758.5453 sin(12.9898 k + 0.61803 Σ bytes(name))) − 1`, the recipe of all weights and
/// inputs.
pub(crate) fn wave(name: &str, k: usize) -> f64 {
    let phase: f64 = name.bytes().map(f64::from).sum();
    let large = 43758.5453 * (12.9898 * k as f64 + 0.61803 * phase).sin();
    2.0 * (large - large.floor()) - 1.0
}

/// An input: waves of amplitude 1.5.
pub(crate) fn input(name: &str, shape: &[usize]) -> TensorData {
    let len = shape.iter().product();
    let values: Vec<f32> = (0..len).map(|k| (1.5 * wave(name, k)) as f32).collect();
    TensorData::new(values, shape.to_vec())
}

/// The bytes of a file in `tests/golden`.
pub(crate) fn golden(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    // Another crate of the workspace includes this file, from another depth.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut files = folders.map(|folder| folder.join("tests/golden").join(name));
    let file = files.find(|file| file.is_file());
    Ok(std::fs::read(
        file.ok_or(format!("no golden file {name}"))?,
    )?)
}

/// Values of a tensor of f64.
pub(crate) fn values(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let tensor = file.tensor(name)?;
    let (chunks, rest) = tensor.data().as_chunks::<8>();
    assert!(rest.is_empty());
    Ok(chunks
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect())
}

/// Compares with an absolute tolerance.
#[track_caller]
pub(crate) fn close(found: &TensorData, expected: &[f64], tolerance: f64, what: &str) {
    let found: Vec<f64> = found.iter::<f64>().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs())
        .fold(0.0, f64::max);
    assert!(
        worst <= tolerance,
        "{what}: largest difference {worst:e} above {tolerance:e}"
    );
}
