//! Collection: noise to the states that a trajectory keeps, by DDIM.

use std::error::Error;

use burn::tensor::Device;
use dsno_model::TeacherDescription;
use dsno_ode::{CosineSchedule, NoiseSchedule, Prediction, SolverKind, TimeGrid, initial_state};
use dsno_operator::NetworkConfig;
use dsno_train::try_parallel_map;

use crate::sample::noise_parts;
use crate::setting::{STEPS, Setting, TIMES};
use crate::times::{Clock, Times};

pub(crate) fn run(setting: &Setting) -> Result<Times, Box<dyn Error>> {
    let device = Device::flex();
    let network = NetworkConfig::unet(setting.architecture(), Prediction::X)?;
    let schedule = NoiseSchedule::from(CosineSchedule::default());
    let teacher = TeacherDescription::new(network, Some(schedule.clone()))?.init(1, &device);
    let grid = TimeGrid::uniform(STEPS)?;
    let record: Vec<f64> = [1.0].into_iter().chain(TIMES).collect();
    let noise = noise_parts(setting, &device);
    let mut clock = Clock::new(setting.warmup);
    for _ in 0..setting.warmup.max(1) + setting.runs {
        let solved = try_parallel_map(&noise, |noise| {
            let model = teacher.denoiser(None, true);
            let z_1 = initial_state(noise.clone(), &schedule);
            let solution =
                SolverKind::Ddim.solve(model.as_ref(), &schedule, &grid, z_1, &record)?;
            Ok::<_, dsno_ode::SolveError>(solution.into_trajectory().into_data())
        })?;
        drop(solved);
        clock.run_ended();
    }
    clock.times()
}
