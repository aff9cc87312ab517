//! Distilling stored trajectories into an operator.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_data::noise::Stream;
use dsno_data::order::InfiniteSampler;
use dsno_data::store::TrajectoryStore;
use dsno_model::{Student, Teacher, fresh_student, student_config, units};
use dsno_ode::{NoiseSchedule, Schedule};
use dsno_operator::{TemporalConvConfig, Timesteps, UNet, UNetConfig};
use serde::Serialize;

use crate::error::TrainError;
use crate::objective::{Ema, Loss, Objective};
use crate::observer::{Observer, Outcome};
use crate::recipe::DistillRecipe;
use crate::run_key::RunKey;
use crate::state_loss::StateLoss;
use crate::training::Training;

/// All that shapes a student.
#[derive(Debug, Clone, Copy)]
pub struct DistillJob<'a> {
    /// The model that the trajectories are of, of any family.
    pub teacher: &'a Teacher,
    /// The student's network without temporal convolutions, if it is not its teacher's; it then starts
    /// at fresh weights, and at the teacher's otherwise.
    pub architecture: Option<&'a UNetConfig>,
    /// Its temporal convolutions; `None` leaves time points independent of one another.
    pub temporal: Option<TemporalConvConfig>,
    /// How to train.
    pub recipe: &'a DistillRecipe,
    /// A loss in place of the recipe's `distance`.
    pub loss: Option<&'a dyn StateLoss>,
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
    teacher_architecture: Backbone<'a>,
    temporal: Option<TemporalConvConfig>,
    recipe: &'a DistillRecipe,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<String>,
    seed: u64,
    times: &'a [f64],
    trajectories: u64,
}

/// The student's network without temporal convolutions, as run keys have it.
#[derive(Serialize)]
#[serde(untagged)]
enum Backbone<'a> {
    Own(&'a UNetConfig),
    Other(toml::Table),
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
    let times = store.spec().times[1..].to_vec();
    let teacher = &job.teacher.config;
    let config = student_config(teacher, job.architecture, job.temporal, Some(times.len()))?;
    let settings = Key {
        teacher_sha256: job.teacher.weights_sha256(),
        teacher_architecture: match config.network.as_unet() {
            Some((own, _)) => Backbone::Own(own),
            None => Backbone::Other(config.network.table()),
        },
        temporal: job.temporal,
        recipe: job.recipe,
        loss: job.loss.map(StateLoss::key),
        seed: job.seed,
        times: &times,
        trajectories: store.len() as u64,
    };
    let key = RunKey::of(&settings, &job.recipe.training);
    let run = key.result.clone();
    let result = job.folder.join("model");
    if Student::load(&result, device).is_ok_and(|made| made.run == run) {
        return Ok(Outcome::Finished);
    }

    let training = Training {
        recipe: &job.recipe.training,
        parallel: config.network.dropout() == 0.0,
        seed: job.seed,
        key,
        folder: job.folder,
    };
    let schedule = &job.teacher.schedule;
    let mut objective = Trajectories {
        order: InfiniteSampler::new(job.seed, store.len(), false),
        conditional: config.network.classes() > 0,
        schedule,
        log_snrs: times.iter().map(|&t| schedule.log_snr(t)).collect(),
        weights: times
            .iter()
            .map(|&t| job.recipe.weight.of(schedule.at(t)) as f32)
            .collect(),
        loss: job.loss.unwrap_or(&job.recipe.distance),
        store,
    };
    let seed = Stream::Weights.draws(job.seed, 0).bits();
    let init = || Ok(fresh_student(job.teacher, &config, seed, device)?);
    let save = |network| {
        let student = Student {
            network,
            config: config.clone(),
            schedule: schedule.clone(),
            times,
            run,
        };
        Ok(student.save(&result)?)
    };
    training.run(&mut objective, init, save, device, observer)
}

/// Stored trajectories, predicted from their first states.
struct Trajectories<'a> {
    store: TrajectoryStore,
    order: InfiniteSampler,
    conditional: bool,
    schedule: &'a NoiseSchedule,
    /// Natural log-SNR of the times that are predicted, and their weights.
    log_snrs: Vec<f64>,
    weights: Vec<f32>,
    loss: &'a dyn StateLoss,
}

impl Objective for Trajectories<'_> {
    /// States `[B, 1 + T, C, H, W]` and classes.
    type Examples = (Tensor<5>, Option<Vec<u32>>);

    fn examples(
        &mut self,
        positions: Range<u64>,
        device: &Device,
    ) -> Result<Self::Examples, TrainError> {
        let count = (positions.end - positions.start) as usize;
        let order = self.order.batch(positions.start, count);
        let indices: Vec<usize> = order.iter().map(|example| example.index).collect();
        let labels = || self.store.labels(&indices);
        let labels = self.conditional.then(labels).transpose()?;
        let states = self.store.batch(&indices, device)?;
        let states = units::to_network(states, &self.store.spec().times, self.schedule);
        Ok((states, labels))
    }

    fn loss(&self, network: &UNet, _ema: &Ema<'_>, (states, labels): Self::Examples) -> Loss {
        let count = self.weights.len();
        let noise = states.clone().narrow(1, 0, 1).squeeze_dim(1);
        let target = states.narrow(1, 1, count);
        let weights = TensorData::new(self.weights.clone(), [count]);
        let weights = Tensor::<1>::from_data(weights, &target.device());
        let times = Timesteps::Shared(&self.log_snrs);
        let predicted = network.forward(noise, times, labels.as_deref());
        let per_time = self.loss.per_time(predicted, target);
        Loss {
            total: (per_time.clone() * weights).mean(),
            per_time: Some(per_time.detach()),
        }
    }
}
