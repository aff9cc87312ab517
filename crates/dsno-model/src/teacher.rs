//! A diffusion model in its folder.

use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::Weights;
use dsno_ode::{Clamped, Denoiser, NoiseSchedule};
use dsno_operator::{NetworkConfig, UNet};

use crate::folder::{load_weights, read_card};
use crate::{ModelError, TeacherDescription};

/// A diffusion model: predicts from a noisy image at one noise level.
#[derive(Debug)]
pub struct Teacher {
    /// The network; one time per call.
    pub network: UNet,
    /// What the network is.
    pub config: NetworkConfig,
    /// The schedule it was trained with.
    pub schedule: NoiseSchedule,
    /// Digest of the run that made it; empty for imported models.
    pub run: String,
}

impl Teacher {
    /// Reads a teacher's folder.
    ///
    /// # Errors
    ///
    /// [`ModelError`], if a file is missing, damaged, or does not fit the other.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ModelError> {
        let card = read_card(folder, "teacher", TeacherDescription::from_table)?;
        let fresh = card.description.init(0, device);
        Ok(Self {
            network: load_weights(folder, fresh.network, &card.weights_sha256)?,
            run: card.run,
            ..fresh
        })
    }

    /// Writes a teacher's folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let weights = self.network.state_dict();
        let description = self.description();
        description.save_as(folder, Weights::Named(&weights), &self.run)
    }

    /// The teacher without its weights.
    pub fn description(&self) -> TeacherDescription {
        TeacherDescription {
            network: self.config.clone(),
            schedule: self.schedule.clone(),
        }
    }

    /// Channels, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        self.config.image_shape()
    }

    /// Number of classes; 0 for an unconditional teacher.
    pub fn classes(&self) -> usize {
        self.config.classes()
    }

    /// Digest of the weights as they are stored.
    pub fn weights_sha256(&self) -> String {
        let weights = self.network.state_dict();
        let digest = Weights::Named(&weights).sha256();
        digest.expect("invariant: weights in memory can be read")
    }

    /// The teacher as solvers see it.
    ///
    /// `labels` hold one class per sample of the batches to come; with `clamp`, predictions are held
    /// to `[-1, 1]`, as published samplers do, and broken ones become NaN.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> Box<dyn Denoiser + '_> {
        let bare = self.network.denoiser(labels, false);
        if clamp {
            Box::new(Clamped::new(bare))
        } else {
            Box::new(bare)
        }
    }
}
