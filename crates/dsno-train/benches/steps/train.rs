//! A training step, as the program takes it: the library's own loop, watched from outside.

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use dsno_data::noise;
use dsno_data::store::{Dtype, Provenance, StoreSpec, TrajectoryStore};
use dsno_model::TeacherDescription;
use dsno_ode::{CosineSchedule, Prediction, Schedule};
use dsno_operator::NetworkConfig;
use dsno_train::{
    Adam, Decay, Distance, DistillJob, DistillRecipe, LearningRate, Observer, Outcome, Progress,
    TimeWeight, TrainingRecipe, distill,
};

use crate::setting::{Setting, TIMES};
use crate::times::{Clock, Times};

pub(crate) fn run(setting: &Setting) -> Result<Times, Box<dyn Error>> {
    let device = Device::flex();
    let home = tempfile::tempdir()?;
    let store = home.path().join("trajectories");
    fill(&store, setting)?;

    let network = NetworkConfig::unet(setting.config.backbone(), Prediction::X)?;
    let schedule = CosineSchedule::default().into();
    let teacher = TeacherDescription::new(network, Some(schedule))?.init(1, &device);
    let recipe = recipe(setting);
    let job = DistillJob {
        teacher: &teacher,
        architecture: None,
        temporal: setting.architecture().temporal,
        recipe: &recipe,
        loss: None,
        seed: 1,
        store: &store,
        folder: &home.path().join("student"),
    };
    let mut watch = Watch(Clock::new(setting.warmup));
    match distill(&job, &device, &mut watch)? {
        Outcome::Finished => watch.0.times(),
        Outcome::Stopped => Err("nobody asked to stop".into()),
    }
}

/// Hears of the end of every step.
struct Watch(Clock);

impl Observer for Watch {
    fn progress(&mut self, _progress: &Progress) {
        self.0.run_ended();
    }

    fn stop_requested(&self) -> bool {
        false
    }
}

/// One batch of noise instead of trajectories, which takes as long.
fn fill(store: &Path, setting: &Setting) -> Result<(), Box<dyn Error>> {
    let times: Vec<f64> = [1.0].into_iter().chain(TIMES).collect();
    let schedule = CosineSchedule::default();
    let architecture = setting.config.backbone();
    let side = architecture.image_size;
    let spec = StoreSpec {
        samples: setting.batch,
        log_snr: times.iter().map(|&t| schedule.log_snr(t)).collect(),
        times,
        shape: [architecture.image_channels, side, side],
        shard_samples: setting.batch,
        dtype: Dtype::F32,
        zstd: false,
        classes: 0,
        provenance: Provenance::new(1, "noise", 0),
    };
    let mut store = TrajectoryStore::create(store, &spec)?;
    let states: Vec<f32> = (0..setting.batch)
        .flat_map(|index| noise::gaussian(1, index as u64, spec.sample_len()))
        .collect();
    store.write_shard(0, &states, &[])?;
    Ok(())
}

fn recipe(setting: &Setting) -> DistillRecipe {
    let total_images = ((setting.warmup.max(1) + setting.runs) * setting.batch) as u64;
    DistillRecipe {
        distance: Distance::L1,
        weight: TimeWeight::RootSnr {
            min: 1.0,
            max: 10_000.0,
        },
        training: TrainingRecipe {
            total_images,
            batch_size: setting.batch,
            microbatches: setting.microbatches,
            learning_rate: LearningRate {
                peak: 2e-4,
                warmup_images: 0,
                decay: Decay::Constant {},
            },
            adam: Adam {
                beta_1: 0.9,
                beta_2: 0.999,
            },
            // An average that keeps 0.9999 of itself in a step.
            ema_half_life_images: 6931.0 * setting.batch as f64,
            checkpoint_images: total_images + 1,
            log_images: total_images + 1,
        },
    }
}
