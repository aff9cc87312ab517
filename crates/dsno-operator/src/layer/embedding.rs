//! The embedding of noise levels and classes.

use std::f64::consts::FRAC_PI_2;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::dense::Dense;
use super::silu;
use crate::config::UNetConfig;
use crate::init::Initializer;

/// Noise levels that a forward pass is asked for, as natural log-SNRs `λ`, kept in f64.
#[derive(Debug, Clone, Copy)]
pub enum Timesteps<'a> {
    /// The same `T` levels for every sample: a trajectory's times.
    Shared(&'a [f64]),
    /// One level per sample: a teacher's training batch.
    PerSample(&'a [f64]),
}

impl Timesteps<'_> {
    /// Number of times `T` per sample.
    pub fn times(&self) -> usize {
        match self {
            Self::Shared(levels) => levels.len(),
            Self::PerSample(_) => 1,
        }
    }

    pub(crate) fn values(&self) -> &[f64] {
        match self {
            Self::Shared(levels) | Self::PerSample(levels) => levels,
        }
    }
}

/// Noise level and class to a vector of width `E`.
///
/// ```text
/// u = atan(exp(−λ/2)) / (π/2)                 λ clamped to ±20
/// e = Dense(SiLU(Dense(sinusoid(1000 u))))    [+ Dense(one-hot class)]
/// ```
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    dense_0: Dense,
    dense_1: Dense,
    class: Option<Dense>,
    #[module(skip)]
    table_width: usize,
    #[module(skip)]
    classes: usize,
}

impl Embedding {
    pub(crate) fn new(init: &mut Initializer<'_>, arch: &UNetConfig) -> Self {
        let (base, e) = (arch.base_channels, arch.embedding_channels);
        let dense_0 = Dense::new(init, base, e);
        let dense_1 = Dense::new(init, e, e);
        let class = (arch.classes > 0).then(|| Dense::of_classes(init, arch.classes, e));
        Self {
            dense_0,
            dense_1,
            class,
            table_width: base,
            classes: arch.classes,
        }
    }

    /// `SiLU(e)` for each sample and time.
    ///
    /// Rows are `[B·T, E]`, or `[T, E]` where nothing depends on the sample. `labels` hold one class
    /// below `classes` per sample.
    pub(crate) fn forward(
        &self,
        levels: Timesteps<'_>,
        labels: Option<&[u32]>,
        device: &Device,
    ) -> Tensor<2> {
        let table = sinusoids(levels.values(), self.table_width);
        let rows = levels.values().len();
        let table =
            Tensor::<2>::from_data(TensorData::new(table, [rows, self.table_width]), device);
        let time = self.dense_1.forward(silu(self.dense_0.forward(table)));
        match (&self.class, labels) {
            (None, None) => silu(time),
            (Some(class), Some(labels)) => {
                let class = class.forward(self.one_hot(labels, device));
                silu(combine(time, class, levels))
            }
            (None, Some(_)) => panic!("labels given to a network without classes"),
            (Some(_), None) => panic!("labels missing for a network of {} classes", self.classes),
        }
    }

    fn one_hot(&self, labels: &[u32], device: &Device) -> Tensor<2> {
        let indices: Vec<i32> = labels
            .iter()
            .map(|&label| {
                assert!(
                    (label as usize) < self.classes,
                    "label {label} of {} classes",
                    self.classes
                );
                label as i32
            })
            .collect();
        let n = indices.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [n]), device);
        indices.one_hot::<2>(self.classes).float()
    }
}

/// Adds a class vector per sample `[B, E]` to the time vectors; rows are sample-major.
fn combine(time: Tensor<2>, class: Tensor<2>, levels: Timesteps<'_>) -> Tensor<2> {
    match levels {
        Timesteps::PerSample(_) => time + class,
        Timesteps::Shared(values) => {
            let ([b, e], t) = (class.dims(), values.len());
            let sum = time.reshape([1, t, e]) + class.reshape([b, 1, e]);
            sum.reshape([b * t, e])
        }
    }
}

/// `[sin | cos]` of `1000 u` at geometrically falling rates; a zero at the end where `width` is odd.
fn sinusoids(log_snrs: &[f64], width: usize) -> Vec<f32> {
    let half = width / 2;
    let rate = |i: usize| (-(10_000_f64.ln()) * i as f64 / (half - 1) as f64).exp();
    let mut table = vec![0.0_f32; log_snrs.len() * width];
    for (row, log_snr) in table.chunks_mut(width).zip(log_snrs) {
        let unit = (-0.5 * log_snr.clamp(-20.0, 20.0)).exp().atan() / FRAC_PI_2;
        for i in 0..half {
            let phase = 1000.0 * unit * rate(i);
            row[i] = phase.sin() as f32;
            row[half + i] = phase.cos() as f32;
        }
    }
    table
}
