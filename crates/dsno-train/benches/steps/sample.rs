//! Sampling: noise to bytes in one call of the student.

use std::error::Error;

use burn::tensor::{Device, Tensor};
use dsno_data::noise;
use dsno_data::picture::Uint8Images;
use dsno_model::Student;
use dsno_ode::{CosineSchedule, Prediction};
use dsno_operator::{NetworkConfig, OperatorConfig};
use dsno_train::try_parallel_map;

use crate::setting::{Setting, TIMES};
use crate::times::{Clock, Times};

pub(crate) fn run(setting: &Setting) -> Result<Times, Box<dyn Error>> {
    let device = Device::flex();
    let network = NetworkConfig::unet(setting.config.backbone(), Prediction::X)?;
    let temporal = setting.architecture().temporal;
    let config = OperatorConfig { network, temporal };
    let student = Student {
        network: config.init(1, &device)?,
        schedule: CosineSchedule::default().into(),
        times: TIMES.to_vec(),
        run: String::new(),
        config,
    };
    let noise = noise_parts(setting, &device);
    let mut clock = Clock::new(setting.warmup);
    for _ in 0..setting.warmup.max(1) + setting.runs {
        drop(try_parallel_map(&noise, |noise| {
            Uint8Images::from_tensor(student.sample(noise.clone(), None))
        })?);
        clock.run_ended();
    }
    clock.times()
}

/// The batch's noise in equal parts.
pub(crate) fn noise_parts(setting: &Setting, device: &Device) -> Vec<Tensor<4>> {
    let architecture = setting.config.backbone();
    let side = architecture.image_size;
    let count = (setting.batch / setting.microbatches) as u64;
    (0..setting.microbatches as u64)
        .map(|part| {
            let shape = [architecture.image_channels, side, side];
            noise::batch(1, part * count..(part + 1) * count, shape, device)
        })
        .collect()
}
