//! Tensors in f64 and comparisons for the unit tests of this crate.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::analytic::GaussianMixture;
use crate::{CosineSchedule, DiscreteSchedule, NoiseLevel, Schedule};

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

/// The mixture of the golden files, with weights that do not sum to 1.
pub(crate) fn mixture() -> GaussianMixture {
    let means = vec![vec![1.0, 0.5], vec![-1.2, 0.8], vec![0.2, -1.5]];
    GaussianMixture::new(vec![5.0, 3.0, 2.0], means, vec![0.25, 0.4, 0.15]).expect("valid")
}

/// Three points in the plane.
pub(crate) fn states() -> Tensor<4> {
    f64_tensor(&[1.7, -0.3, 0.1, 0.2, -2.0, 1.1], [3, 2, 1, 1])
}

/// Returns a level of a variance-preserving process.
pub(crate) fn level(log_snr: f64) -> NoiseLevel {
    NoiseLevel::from_log_snr(log_snr)
}

/// Returns a level of a variance-exploding process.
pub(crate) fn exploding(log_snr: f64) -> NoiseLevel {
    NoiseLevel::variance_exploding(1.0).with_log_snr(log_snr)
}

/// The table of DDPM.
pub(crate) fn ddpm() -> DiscreteSchedule {
    DiscreteSchedule::linear(1000, 1e-4, 0.02).expect("a valid table")
}

/// The cosine schedule with other levels at some times.
pub(crate) struct Changed {
    pub(crate) schedule: CosineSchedule,
    pub(crate) log_snr: fn(&CosineSchedule, f64) -> f64,
}

impl Schedule for Changed {
    fn log_snr(&self, t: f64) -> f64 {
        (self.log_snr)(&self.schedule, t)
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        self.schedule.time_at(log_snr)
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        self.schedule.log_snr_rate(t)
    }
}

/// The noise levels of the cosine schedule, each with the image left as it is (`α = 1`).
pub(crate) struct Exploding(pub(crate) CosineSchedule);

impl Schedule for Exploding {
    fn log_snr(&self, t: f64) -> f64 {
        self.0.log_snr(t)
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        self.0.time_at(log_snr)
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        self.0.log_snr_rate(t)
    }

    fn level(&self, log_snr: f64) -> NoiseLevel {
        exploding(log_snr)
    }
}
