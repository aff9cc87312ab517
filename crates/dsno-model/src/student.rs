//! An operator in its folder.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::Weights;
use dsno_ode::{NoiseSchedule, Schedule};
use dsno_operator::{OperatorConfig, Timesteps, UNet};

use crate::folder::{load_weights, read_card};
use crate::{ModelError, StudentDescription, units};

/// An operator: noise to the states of its trajectory at all of its times, in one pass.
#[derive(Debug)]
pub struct Student {
    /// The network; all times per call.
    pub network: UNet,
    /// What the network is.
    pub config: OperatorConfig,
    /// The teacher's schedule.
    pub schedule: NoiseSchedule,
    /// The times whose states it predicts, falling to 0; the noise at time 1 is its input.
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
        let card = read_card(folder, "student", StudentDescription::from_table)?;
        let description = card.description;
        let fresh = description.operator.init(0, device);
        let fresh = fresh.expect("invariant: descriptions are checked when they are read");
        Ok(Self {
            network: load_weights(folder, fresh, &card.weights_sha256)?,
            config: description.operator,
            schedule: description.schedule,
            times: description.times,
            run: card.run,
        })
    }

    /// Writes a student's folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let weights = self.network.state_dict();
        let description = self.description();
        description.save_as(folder, Weights::Named(&weights), &self.run)
    }

    /// The student without its weights.
    pub fn description(&self) -> StudentDescription {
        StudentDescription {
            times: self.times.clone(),
            schedule: self.schedule.clone(),
            operator: self.config.clone(),
        }
    }

    /// Channels, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        self.config.network.image_shape()
    }

    /// Number of classes; 0 for an unconditional student.
    pub fn classes(&self) -> usize {
        self.config.network.classes()
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
        let last = self.times.len() - 1;
        trajectory.narrow(1, last, 1).squeeze_dim(1)
    }
}
