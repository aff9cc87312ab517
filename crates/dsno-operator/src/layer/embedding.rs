//! The embedding of timesteps and classes.

use std::f64::consts::{FRAC_PI_2, TAU};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::StateDict;
use dsno_kernels::silu;

use super::Linear;
use crate::init::Initializer;
use crate::plan::{ClassInput, EmbeddingPlan, TimestepFeatures};

/// The timesteps of a forward pass, in the network's own terms and kept in f64: natural log-SNRs `λ`
/// for our networks and for every operator, table indices or `c_noise` for teachers of other families.
#[derive(Debug, Clone, Copy)]
pub enum Timesteps<'a> {
    /// The same `T` timesteps for every sample: a trajectory's times.
    Shared(&'a [f64]),
    /// One timestep per sample: a teacher's training batch.
    PerSample(&'a [f64]),
}

impl<'a> Timesteps<'a> {
    /// Number of times `T` per sample.
    pub fn times(&self) -> usize {
        match self {
            Self::Shared(values) => values.len(),
            Self::PerSample(_) => 1,
        }
    }

    pub(crate) fn values(&self) -> &'a [f64] {
        match self {
            Self::Shared(values) | Self::PerSample(values) => values,
        }
    }
}

/// A log-SNR as an operator is told it: at `t = 0` it may be infinite.
pub(crate) fn within_range(log_snr: f64) -> f64 {
    log_snr.clamp(-20.0, 20.0)
}

/// What a network is conditioned on besides the timestep.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// One class per sample.
    Labels(&'a [u32]),
    /// One vector per sample, as wide as the embedding: `[B, E]`.
    Vectors(&'a Tensor<2>),
}

/// Timestep and condition to a vector of width `E`.
///
/// ```text
/// e = Linear(SiLU(Linear(features(timestep) [+ class])))    [+ class]
/// ```
///
/// The features of a network of ours are `[sin | cos]` of `1000 u` at geometrically falling rates,
/// with `u = atan(exp(−λ/2))/(π/2)` and `λ` clamped to ±20.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    dense_0: Linear,
    dense_1: Linear,
    class: Option<Linear>,
    class_0: Option<Linear>,
    class_1: Option<Linear>,
    /// Kept for the file; augmentation labels are zero at sampling, and the map has no bias.
    augment: Option<Linear>,
    #[module(skip)]
    plan: EmbeddingPlan,
    /// Angular frequencies of features that are stored with the weights.
    #[module(skip)]
    frequencies: Vec<f64>,
}

impl Embedding {
    pub(crate) fn new(init: &mut Initializer<'_>, plan: &EmbeddingPlan) -> Self {
        let (width, e) = (plan.width, plan.channels);
        let numbers = plan.class == ClassInput::Numbers;
        Self {
            dense_0: Linear::new(init, width, e),
            dense_1: Linear::new(init, e, e),
            class: match plan.class {
                ClassInput::OneHot {
                    classes,
                    bias,
                    to_features,
                    ..
                } => {
                    let out = if to_features { width } else { e };
                    Some(Linear::of_rows(init, classes, out, bias))
                }
                _ => None,
            },
            class_0: numbers.then(|| Linear::new(init, width, e)),
            class_1: numbers.then(|| Linear::new(init, e, e)),
            augment: (plan.augment > 0).then(|| Linear::of_rows(init, plan.augment, width, false)),
            plan: plan.clone(),
            frequencies: Vec::new(),
        }
    }

    /// Takes the frequencies that are stored with the weights.
    pub(crate) fn set_frequencies(&mut self, buffers: &StateDict) {
        if let TimestepFeatures::Fourier { stored } = self.plan.features
            && let Some(found) = buffers.get(stored)
        {
            let angular = |f: &f32| TAU * f64::from(*f);
            self.frequencies = found.values.iter().map(angular).collect();
        }
    }

    /// `SiLU(e)` for each sample and time.
    ///
    /// Rows are `[B·T, E]`, or `[T, E]` where nothing depends on the sample.
    pub(crate) fn forward(
        &self,
        timesteps: Timesteps<'_>,
        condition: Option<Condition<'_>>,
        device: &Device,
    ) -> Tensor<2> {
        let features = self.features(timesteps.values(), device);
        let class = self.condition(condition, device);
        let to_features = matches!(
            self.plan.class,
            ClassInput::OneHot {
                to_features: true,
                ..
            }
        );
        let dense = |x| self.dense_1.forward(silu(self.dense_0.forward(x)));
        silu(match class {
            None => dense(features),
            Some(class) if to_features => dense(combine(features, class, timesteps)),
            Some(class) => combine(dense(features), class, timesteps),
        })
    }

    fn condition(&self, condition: Option<Condition<'_>>, device: &Device) -> Option<Tensor<2>> {
        match (self.plan.class, condition) {
            (ClassInput::None, None) => None,
            (ClassInput::None, Some(_)) => panic!("labels given to a network without classes"),
            (ClassInput::Vectors, Some(Condition::Vectors(vectors))) => Some(vectors.clone()),
            (ClassInput::Vectors, _) => panic!("this network needs one vector per sample"),
            (_, Some(Condition::Vectors(_))) => panic!("this network needs one label per sample"),
            (ClassInput::Numbers, Some(Condition::Labels(labels))) => {
                let numbers: Vec<f64> = labels.iter().copied().map(f64::from).collect();
                let numbers = self.features(&numbers, device);
                let first = self.class_0.as_ref()?.forward(numbers);
                Some(self.class_1.as_ref()?.forward(silu(first)))
            }
            (
                ClassInput::Numbers
                | ClassInput::OneHot {
                    optional: false, ..
                },
                None,
            ) => panic!("labels missing for a network with classes"),
            (
                ClassInput::OneHot {
                    classes, strength, ..
                },
                labels,
            ) => {
                let rows = one_hot(labels, classes, strength as f32);
                let rows = Tensor::from_data(rows, device);
                Some(self.class.as_ref()?.forward(rows))
            }
        }
    }

    /// `[N, width]` for `N` timesteps, computed in f64 on the host, where the phases of large ones keep
    /// their digits.
    fn features(&self, timesteps: &[f64], device: &Device) -> Tensor<2> {
        let width = self.plan.width;
        let half = width / 2;
        let (of_log_snr, cosines_first, shift) = match self.plan.features {
            TimestepFeatures::Sinusoids {
                of_log_snr,
                cosines_first,
                shift,
            } => (of_log_snr, cosines_first, shift),
            TimestepFeatures::Fourier { .. } => (false, false, 0),
        };
        let (sine, cosine) = if cosines_first { (half, 0) } else { (0, half) };
        let span = half as f64 - shift as f64;
        let falling = |i: usize| (-(10_000_f64.ln()) * i as f64 / span).exp();
        let rate = |i: usize| {
            self.frequencies
                .get(i)
                .copied()
                .unwrap_or_else(|| falling(i))
        };
        let mut table = vec![0.0_f32; timesteps.len() * width];
        for (row, &timestep) in table.chunks_mut(width).zip(timesteps) {
            let timestep = if of_log_snr {
                1000.0 * ((-0.5 * within_range(timestep)).exp().atan() / FRAC_PI_2)
            } else {
                timestep
            };
            for i in 0..half {
                let phase = timestep * rate(i);
                row[sine + i] = phase.sin() as f32;
                row[cosine + i] = phase.cos() as f32;
            }
        }
        Tensor::from_data(TensorData::new(table, [timesteps.len(), width]), device)
    }
}

/// `[B, classes]`, or one row of zeros without labels; `one` stands for 1.
fn one_hot(labels: Option<Condition<'_>>, classes: usize, one: f32) -> TensorData {
    let labels = labels.map(|labels| match labels {
        Condition::Labels(labels) => labels,
        Condition::Vectors(_) => unreachable!("invariant: refused before"),
    });
    let rows = labels.map_or(1, <[u32]>::len);
    let mut values = vec![0.0_f32; rows * classes];
    for (row, &label) in values.chunks_mut(classes).zip(labels.into_iter().flatten()) {
        assert!(
            (label as usize) < classes,
            "label {label} of {classes} classes"
        );
        row[label as usize] = one;
    }
    TensorData::new(values, [rows, classes])
}

/// Adds a vector per sample `[B, E]`, or one for all, to the timesteps' vectors; rows are sample-major.
fn combine(time: Tensor<2>, class: Tensor<2>, timesteps: Timesteps<'_>) -> Tensor<2> {
    let [b, e] = class.dims();
    match timesteps {
        Timesteps::PerSample(_) => time + class,
        Timesteps::Shared(_) if b == 1 && time.dims()[0] == 1 => time + class,
        Timesteps::Shared(values) => {
            let t = values.len();
            let sum = time.reshape([1, t, e]) + class.reshape([b, 1, e]);
            sum.reshape([b * t, e])
        }
    }
}
