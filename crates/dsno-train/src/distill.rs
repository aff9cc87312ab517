//! Distilling stored trajectories into an operator.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_data::noise::Stream;
use dsno_data::order::InfiniteSampler;
use dsno_data::store::TrajectoryStore;
use dsno_ode::Schedule;
use dsno_operator::{TemporalConvConfig, Timesteps, TransferError, UNet, UNetConfig};
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::TrainError;
use crate::observer::{Observer, Outcome};
use crate::recipe::{Distance, DistillRecipe};
use crate::training::{Loss, Training, run_key};
use dsno_model::backbone;
use dsno_model::units;
use dsno_model::{ModelError, Student, Teacher, TeacherNetwork};

/// All that shapes a student.
#[derive(Debug, Clone, Copy)]
pub struct DistillJob<'a> {
    /// The model that the trajectories are of. A student of one of our own networks has its
    /// architecture and starts at its weights.
    pub teacher: &'a Teacher,
    /// The student's network without temporal convolutions, for a teacher of another family and only
    /// then; it starts at fresh weights.
    pub architecture: Option<&'a UNetConfig>,
    /// Its temporal convolutions; `None` leaves time points independent of one another.
    pub temporal: Option<TemporalConvConfig>,
    /// How to train.
    pub recipe: &'a DistillRecipe,
    /// Seed of temporal weights, order and dropout.
    pub seed: u64,
    /// The trajectory store, complete.
    pub store: &'a Path,
    /// Where checkpoints and the log go; the result is in `model/` below it.
    pub folder: &'a Path,
}

#[derive(Serialize)]
struct Key<'a> {
    teacher_sha256: String,
    teacher_architecture: &'a UNetConfig,
    temporal: Option<TemporalConvConfig>,
    recipe: &'a DistillRecipe,
    seed: u64,
    times: &'a [f64],
    trajectories: u64,
}

/// Distils a student, resuming from the folder's checkpoint if it has one.
///
/// The first stored state is the input, the others are the targets:
///
/// ```text
/// loss = mean_b mean_t  w(λ_t) · distance(G(z_1)(t), z_t)
/// ```
///
/// This is the loss of Zheng et al. 2023 (arXiv:2211.13449v3, section 4). A run that is stopped or
/// killed and called again gives the same weights as one that was not, bit for bit, on one device.
///
/// # Errors
///
/// [`TrainError`]; what was checkpointed before stays valid.
pub fn distill(
    job: &DistillJob<'_>,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    job.recipe.validate()?;
    let store = TrajectoryStore::open(job.store)?;
    let recipe = job.recipe;
    let times = store.spec().times[1..].to_vec();
    let backbone = backbone(&job.teacher.network.architecture(), job.architecture)?;
    let architecture = student_architecture(&backbone, job.temporal, times.len())?;
    let key = run_key(&Key {
        teacher_sha256: job.teacher.weights_sha256(),
        teacher_architecture: &backbone,
        temporal: job.temporal,
        recipe,
        seed: job.seed,
        times: &times,
        trajectories: store.len() as u64,
    });
    let conditional = architecture.classes > 0;
    let result = job.folder.join("model");
    if Student::load(&result, device).is_ok_and(|made| made.run == key) {
        return Ok(Outcome::Finished);
    }

    let training = Training {
        total_images: recipe.total_images,
        batch_size: recipe.batch_size,
        shards: recipe.shards,
        concurrent: architecture.dropout == 0.0,
        learning_rate: &recipe.learning_rate,
        adam: recipe.adam,
        ema_half_life_images: recipe.ema_half_life_images,
        checkpoint_images: recipe.checkpoint_images,
        log_images: recipe.log_images,
        seed: job.seed,
        key: key.clone(),
        folder: job.folder,
    };
    let autodiff = device.clone().autodiff();
    let schedule = &job.teacher.schedule;
    let log_snrs: Vec<f64> = times.iter().map(|&t| schedule.log_snr(t)).collect();
    let weights: Vec<f32> = times
        .iter()
        .map(|&t| recipe.weight.of(schedule.at(t)) as f32)
        .collect();
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [times.len()]), &autodiff);
    let weights_seed = Stream::Weights.draws(job.seed, 0).bits();
    let fresh = || {
        let network = architecture.init(weights_seed, device)?;
        let TeacherNetwork::Unet {
            network: shared,
            architecture: from,
            ..
        } = &job.teacher.network
        else {
            return Ok(network);
        };
        network
            .init_from_teacher(shared, from, &architecture)
            .map_err(|e| match e {
                TransferError::Architecture(error) => TrainError::from(error),
                TransferError::Weights(error) => ModelError::from(error).into(),
                other => unreachable!("{other}"),
            })
    };
    let mut order = InfiniteSampler::new(job.seed, store.len(), false);
    let examples = |positions: Range<u64>| {
        let count = (positions.end - positions.start) as usize;
        let order = order.batch(positions.start, count);
        let indices: Vec<usize> = order.iter().map(|example| example.index).collect();
        let labels = conditional.then(|| store.labels(&indices)).transpose()?;
        let states = store.batch(&indices, &autodiff)?;
        Ok((
            units::to_network(states, &store.spec().times, schedule),
            labels,
        ))
    };
    let loss = |network: &UNet, (states, labels): (Tensor<5>, Option<Vec<u32>>)| {
        let [b, t, c, h, w] = states.dims();
        let noise = states
            .clone()
            .slice([0..b, 0..1, 0..c, 0..h, 0..w])
            .squeeze_dim(1);
        let target = states.slice([0..b, 1..t, 0..c, 0..h, 0..w]);
        let predicted = network.forward(noise, Timesteps::Shared(&log_snrs), labels.as_deref());
        let per_time = distance(recipe.distance, predicted, target);
        let total = (per_time.clone() * weights.clone()).mean();
        Loss {
            total,
            per_time: Some(per_time.detach()),
        }
    };
    let network = training.run(fresh, device, observer, examples, loss)?;
    let Some(network) = network else {
        return Ok(Outcome::Stopped);
    };
    let student = Student {
        network,
        architecture,
        schedule: schedule.clone(),
        times,
        run: key,
    };
    student.save(&result)?;
    Checkpoint::remove(job.folder)?;
    Ok(Outcome::Finished)
}

/// The backbone with the student's temporal convolutions.
fn student_architecture(
    backbone: &UNetConfig,
    temporal: Option<TemporalConvConfig>,
    times: usize,
) -> Result<UNetConfig, TrainError> {
    let architecture = UNetConfig {
        temporal,
        ..backbone.clone()
    };
    architecture.validate()?;
    match temporal {
        Some(TemporalConvConfig { n_modes }) if times > 1 && n_modes > times / 2 + 1 => {
            Err(TrainError::Modes { n_modes, times })
        }
        _ => Ok(architecture),
    }
}

/// Mean distance at each time, `[T]`, of states `[B, T, C, H, W]`.
fn distance(kind: Distance, predicted: Tensor<5>, target: Tensor<5>) -> Tensor<1> {
    let error = predicted - target;
    let error = match kind {
        Distance::L1 => error.abs(),
        Distance::L2 => error.square(),
    };
    let [b, t, c, h, w] = error.dims();
    let per_image: Tensor<2> = error.reshape([b, t, c * h * w]).mean_dim(2).squeeze_dim(2);
    per_image.mean_dim(0).squeeze_dim(0)
}
