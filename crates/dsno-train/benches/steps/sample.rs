//! Sampling: noise to bytes in one call of the student.

use std::error::Error;

use burn::tensor::{Device, Tensor};
use dsno_data::noise;
use dsno_data::picture::Uint8Images;
use dsno_model::Student;
use dsno_ode::CosineSchedule;
use dsno_train::lane::together;

use crate::setting::{Setting, TIMES};
use crate::times::{Clock, Times};

pub(crate) fn run(setting: &Setting) -> Result<Times, Box<dyn Error>> {
    let device = Device::flex();
    let architecture = setting.architecture();
    let student = Student {
        network: architecture.init(1, &device)?,
        schedule: CosineSchedule::default().into(),
        times: TIMES.to_vec(),
        run: String::new(),
        architecture,
    };
    let noise = noise_parts(setting, &device);
    let mut clock = Clock::new(setting.warmup);
    for _ in 0..setting.warmup.max(1) + setting.runs {
        let pictures = together(noise.clone(), |noise| {
            Uint8Images::from_tensor(student.sample(noise, None))
        });
        for part in pictures {
            drop(part?);
        }
        clock.run_ended();
    }
    clock.times()
}

/// The batch's noise in equal parts.
pub(crate) fn noise_parts(setting: &Setting, device: &Device) -> Vec<Tensor<4>> {
    let architecture = setting.config.backbone();
    let side = architecture.image_size;
    let part = (setting.batch / setting.shards) as u64;
    (0..setting.shards as u64)
        .map(|shard| {
            let shape = [architecture.image_channels, side, side];
            noise::batch(1, shard * part..(shard + 1) * part, shape, device)
        })
        .collect()
}
