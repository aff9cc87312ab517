//! Training a teacher on images.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_data::ImageSet;
use dsno_data::noise::{self, Stream};
use dsno_data::order::InfiniteSampler;
use dsno_model::Teacher;
use dsno_ode::{NoiseLevel, NoiseSchedule, Schedule, add_noise_with};
use dsno_operator::{NetworkConfig, Timesteps, UNet, UNetConfig};
use serde::Serialize;

use crate::error::TrainError;
use crate::objective::{Ema, Loss, Objective};
use crate::observer::{Observer, Outcome};
use crate::recipe::TeacherRecipe;
use crate::run_key::RunKey;
use crate::training::Training;

/// All that shapes a teacher.
#[derive(Debug, Clone)]
pub struct TeacherJob<'a> {
    /// The network; without temporal convolutions.
    pub architecture: &'a UNetConfig,
    /// Noise levels over time.
    pub schedule: NoiseSchedule,
    /// How to train.
    pub recipe: &'a TeacherRecipe,
    /// Seed of weights, order, flips, times and noise.
    pub seed: u64,
    /// The images, of the architecture's shape.
    pub images: &'a ImageSet,
    /// Mirror half of the images.
    pub flip: bool,
    /// Where checkpoints and the log go; the result is in `model/` below it.
    pub folder: &'a Path,
}

#[derive(Serialize)]
struct Key<'a> {
    architecture: &'a UNetConfig,
    schedule: NoiseSchedule,
    recipe: &'a TeacherRecipe,
    seed: u64,
    images: usize,
    flip: bool,
}

/// Trains a teacher, resuming from the folder's checkpoint if it has one.
///
/// ```text
/// z_t = α_t x + σ_t ε,   loss = mean_b  w(λ_t) ‖f(z_t, λ_t) − target(x, ε)‖²
/// ```
///
/// with `t` uniform on `[0, 1]`, stratified over the batch. A run that is stopped or killed and
/// called again gives the same weights as one that was not, bit for bit, on the same device.
///
/// # Errors
///
/// [`TrainError`]; what was checkpointed before stays valid.
pub fn train_teacher(
    job: &TeacherJob<'_>,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    job.recipe.validate()?;
    check_images(job)?;
    let recipe = job.recipe;
    let config = NetworkConfig::unet(job.architecture.clone(), recipe.prediction)?;
    config.check_teacher()?;
    let settings = Key {
        architecture: job.architecture,
        schedule: job.schedule.clone(),
        recipe,
        seed: job.seed,
        images: job.images.len(),
        flip: job.flip,
    };
    let key = RunKey::of(&settings, &recipe.training);
    let run = key.result.clone();
    let result = job.folder.join("model");
    if Teacher::load(&result, device).is_ok_and(|made| made.run == run) {
        return Ok(Outcome::Finished);
    }

    let training = Training {
        recipe: &recipe.training,
        parallel: job.architecture.dropout == 0.0,
        seed: job.seed,
        key,
        folder: job.folder,
    };
    let mut objective = Denoising {
        order: InfiniteSampler::new(job.seed, job.images.len(), job.flip),
        job,
    };
    let weights_seed = Stream::Weights.draws(job.seed, 0).bits();
    let init = || Ok(config.init(weights_seed, device));
    let save = |network| {
        let teacher = Teacher {
            network,
            config: config.clone(),
            schedule: job.schedule.clone(),
            run,
        };
        Ok(teacher.save(&result)?)
    };
    training.run(&mut objective, init, save, device, observer)
}

/// Denoising of images at random noise levels.
struct Denoising<'a> {
    job: &'a TeacherJob<'a>,
    order: InfiniteSampler,
}

/// Images, noise and one noise level each.
struct Examples {
    x: Tensor<4>,
    eps: Tensor<4>,
    levels: Vec<NoiseLevel>,
    labels: Option<Vec<u32>>,
}

impl Objective for Denoising<'_> {
    type Examples = Examples;

    fn examples(&mut self, positions: Range<u64>, device: &Device) -> Result<Examples, TrainError> {
        let job = self.job;
        let count = (positions.end - positions.start) as usize;
        let examples = self.order.batch(positions.start, count);
        let conditional = job.architecture.classes > 0;
        let labels = job.images.labels().filter(|_| conditional);
        let x = job.images.examples(&examples, device);
        let [_, c, h, w] = x.dims();
        let (stream, shape) = (Stream::TrainingNoise, [c, h, w]);
        Ok(Examples {
            x,
            eps: noise::batch_of(stream, job.seed, positions.clone(), shape, device),
            levels: positions.map(|position| level(job, position)).collect(),
            labels: labels.map(|labels| examples.iter().map(|e| labels[e.index]).collect()),
        })
    }

    fn loss(&self, network: &UNet, _ema: &Ema<'_>, examples: Examples) -> Loss {
        let recipe = self.job.recipe;
        let Examples {
            x,
            eps,
            levels,
            labels,
        } = examples;
        let column = |of: &dyn Fn(NoiseLevel) -> f64| column(&levels, of, &x.device());
        let (alpha, sigma) = (column(&NoiseLevel::alpha), column(&NoiseLevel::sigma));
        let weight = column(&|at| recipe.weighting.of(recipe.prediction, at));
        let z_t = add_noise_with(x.clone(), eps.clone(), alpha.clone(), sigma.clone());
        let log_snrs: Vec<f64> = levels.iter().map(|at| at.log_snr()).collect();
        let output = network.forward(z_t, Timesteps::PerSample(&log_snrs), labels.as_deref());
        let target = recipe.prediction.target_with(x, eps, alpha, sigma);
        let error: Tensor<4> = output.squeeze_dim::<4>(1) - target;
        (error.square() * weight).mean().into()
    }
}

/// The noise level of one example: within a batch, times lie one batch-th apart from a random start.
fn level(job: &TeacherJob<'_>, position: u64) -> NoiseLevel {
    let batch = job.recipe.training.batch_size as u64;
    let place = position % batch;
    let shift = Stream::Time.draws(job.seed, position - place).uniform();
    let t = (shift + place as f64 / batch as f64).fract();
    // Networks see variance-preserving states, whatever the units of the schedule.
    NoiseLevel::from_log_snr(job.schedule.log_snr(t))
}

/// One number per sample as `[B, 1, 1, 1]`.
fn column(levels: &[NoiseLevel], of: &dyn Fn(NoiseLevel) -> f64, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = levels.iter().map(|&at| of(at) as f32).collect();
    Tensor::from_data(TensorData::new(values, [levels.len(), 1, 1, 1]), device)
}

fn check_images(job: &TeacherJob<'_>) -> Result<(), TrainError> {
    let (images, arch) = (job.images, job.architecture);
    let found = [images.channels(), images.height(), images.width()];
    let expected = [arch.image_channels, arch.image_size, arch.image_size];
    if found != expected {
        return Err(TrainError::ImageShape { found, expected });
    }
    let found = images.labels().map_or(0, |_| images.classes() as usize);
    let expected = arch.classes;
    if expected > 0 && expected != found {
        return Err(TrainError::Classes { found, expected });
    }
    Ok(())
}
