//! An operator in its folder.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_ode::{NoiseSchedule, Schedule};
use dsno_operator::{Timesteps, UNet, UNetConfig};
use serde::{Deserialize, Serialize};

use crate::folder::{load_network, read_card, write};
use crate::{ModelError, StudentDescription, units};
use dsno_checkpoint::Weights;

/// What `model.toml` of a student says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StudentCard {
    kind: StudentKind,
    weights_sha256: String,
    run: String,
    times: Vec<f64>,
    schedule: NoiseSchedule,
    architecture: UNetConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StudentKind {
    Student,
}

/// An operator: noise to the states of its trajectory at all of its times, in one pass.
#[derive(Debug)]
pub struct Student {
    /// The network; all times per call.
    pub network: UNet,
    /// Its architecture.
    pub architecture: UNetConfig,
    /// The teacher's schedule.
    pub schedule: NoiseSchedule,
    /// The times it answers for, falling to 0; the noise at time 1 is its input.
    pub times: Vec<f64>,
    /// Digest of the run that made it; empty for imported models.
    pub run: String,
}

impl Student {
    /// Reads a student's folder.
    ///
    /// # Errors
    ///
    /// [`ModelError`], if a file is missing, damaged, or does not fit the other.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ModelError> {
        let card: StudentCard = read_card(folder)?;
        let network = load_network(folder, &card.architecture, &card.weights_sha256, device)?;
        let StudentCard {
            architecture,
            schedule,
            times,
            run,
            ..
        } = card;
        Ok(Self {
            network,
            architecture,
            schedule,
            times,
            run,
        })
    }

    /// Writes a student's folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let description = StudentDescription {
            times: self.times.clone(),
            schedule: self.schedule.clone(),
            architecture: self.architecture.clone(),
        };
        let weights = self.network.state_dict();
        save(&description, folder, Weights::Named(&weights), &self.run)
    }

    /// Predicts the whole trajectory.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                          |
    /// |----------|-------------------|-----------------------------------------|
    /// | `noise`  | `[B, C, H, W]`    | standard normal                         |
    /// | `labels` | `B` values        | classes, for a conditional network      |
    /// | returned | `[B, T, C, H, W]` | states at `times`, units of the schedule |
    pub fn trajectory(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Tensor<5> {
        self.trajectory_at(&self.times, noise, labels)
    }

    /// Predicts the states at other times than the trained ones; how well that works is measured,
    /// not promised (the paper finds it does not, arXiv:2211.13449v3, appendix A.4).
    pub fn trajectory_at(
        &self,
        times: &[f64],
        noise: Tensor<4>,
        labels: Option<&[u32]>,
    ) -> Tensor<5> {
        let log_snrs: Vec<f64> = times.iter().map(|&t| self.schedule.log_snr(t)).collect();
        let trajectory = self
            .network
            .forward(noise, Timesteps::Shared(&log_snrs), labels);
        units::from_network(trajectory, times, &self.schedule)
    }

    /// Predicts the images alone: the states at the last time, `[B, C, H, W]`.
    pub fn sample(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Tensor<4> {
        let trajectory = self.trajectory(noise, labels);
        let [b, t, c, h, w] = trajectory.dims();
        trajectory
            .slice([0..b, t - 1..t, 0..c, 0..h, 0..w])
            .squeeze_dim(1)
    }
}

pub(crate) fn read(folder: &Path) -> Result<StudentDescription, ModelError> {
    let card: StudentCard = read_card(folder)?;
    Ok(StudentDescription {
        times: card.times,
        schedule: card.schedule,
        architecture: card.architecture,
    })
}

pub(crate) fn save(
    description: &StudentDescription,
    folder: &Path,
    weights: Weights<'_>,
    run: &str,
) -> Result<(), ModelError> {
    let StudentDescription {
        times,
        schedule,
        architecture,
    } = description.clone();
    write(folder, weights, |weights_sha256| {
        toml::to_string(&StudentCard {
            kind: StudentKind::Student,
            weights_sha256: weights_sha256.to_owned(),
            run: run.to_owned(),
            times,
            schedule,
            architecture,
        })
    })
}
