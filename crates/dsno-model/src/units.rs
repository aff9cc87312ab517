//! States of a process in its own units, and in those that networks see.
//!
//! Networks are trained on variance-preserving states. Where the variance explodes, states grow up to
//! the schedule's `σ` at `t = 1`; divided by their [scale](dsno_ode::NoiseLevel::scale) they are those
//! of a variance-preserving process at the same `λ`.

use burn::tensor::{Device, Tensor, TensorData};
use dsno_ode::{NoiseSchedule, Schedule};

/// Trajectories `[B, T, C, H, W]` of a network, in the units of the schedule.
pub fn from_network(trajectory: Tensor<5>, times: &[f64], schedule: &NoiseSchedule) -> Tensor<5> {
    scaled(trajectory, times.iter().map(|&t| schedule.at(t).scale()))
}

/// The reverse, for trajectories that begin with the first state; that becomes its noise again.
pub fn to_network(trajectory: Tensor<5>, times: &[f64], schedule: &NoiseSchedule) -> Tensor<5> {
    let factors = times.iter().enumerate().map(|(number, &t)| {
        let at = schedule.at(t);
        match at.scale() {
            1.0 => 1.0,
            _ if number == 0 => 1.0 / at.sigma(),
            scale => 1.0 / scale,
        }
    });
    scaled(trajectory, factors)
}

/// Multiplies the states of each time by a factor.
fn scaled(trajectory: Tensor<5>, factors: impl Iterator<Item = f64>) -> Tensor<5> {
    let factors: Vec<f32> = factors.map(|factor| factor as f32).collect();
    if factors.iter().all(|&factor| factor == 1.0) {
        return trajectory;
    }
    let device: Device = trajectory.device();
    let shape = [1, factors.len(), 1, 1, 1];
    trajectory * Tensor::from_data(TensorData::new(factors, shape), &device)
}

#[cfg(test)]
mod tests {
    use dsno_ode::{CosineSchedule, EdmSchedule};

    use super::*;

    #[test]
    fn states_that_explode_come_back_as_they_were() {
        let (device, times) = (Device::flex(), [1.0, 0.5, 0.0]);
        let states = Tensor::<5>::ones([2, 3, 1, 2, 2], &device);
        for schedule in [
            NoiseSchedule::from(EdmSchedule::default()),
            CosineSchedule::default().into(),
        ] {
            let seen = to_network(states.clone(), &times, &schedule);
            let largest = seen.clone().abs().max().into_scalar::<f32>();
            assert!(largest <= 1.0, "{largest}");
            let back = from_network(seen, &times, &schedule);
            let apart = (back - states.clone()).abs().max().into_scalar::<f32>();
            // The first state is divided by σ and not by the scale, which is 8e-5 larger.
            assert!(apart < 1e-4, "{apart}");
        }
    }
}
