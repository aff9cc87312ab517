//! A diffusion model in its folder.

use std::path::Path;

use burn::tensor::Device;
use dsno_data::digest::sha256_bytes;
use dsno_ode::{NoiseSchedule, Prediction};
use dsno_operator::weights::to_safetensors;
use dsno_operator::{Architecture, UNet, UNetDenoiser};
use serde::{Deserialize, Serialize};

use super::{ModelError, load_network, read_card, save};

/// What `model.toml` of a teacher says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeacherCard {
    kind: TeacherKind,
    weights_sha256: String,
    /// Digest of the run that made it; empty for imported models.
    run: String,
    prediction: Prediction,
    schedule: NoiseSchedule,
    architecture: Architecture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TeacherKind {
    Teacher,
}

/// A diffusion model: predicts from a noisy image at one noise level.
#[derive(Debug)]
pub struct Teacher {
    /// The network; one time per call.
    pub network: UNet,
    /// Its architecture.
    pub architecture: Architecture,
    /// The schedule it was trained with.
    pub schedule: NoiseSchedule,
    /// What its output means.
    pub prediction: Prediction,
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
        let card: TeacherCard = read_card(folder)?;
        let network = load_network(folder, &card.architecture, &card.weights_sha256, device)?;
        let TeacherCard {
            architecture,
            schedule,
            prediction,
            run,
            ..
        } = card;
        Ok(Self {
            network,
            architecture,
            schedule,
            prediction,
            run,
        })
    }

    /// Writes a teacher's folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let card = |weights_sha256| TeacherCard {
            kind: TeacherKind::Teacher,
            weights_sha256,
            run: self.run.clone(),
            prediction: self.prediction,
            schedule: self.schedule.clone(),
            architecture: self.architecture.clone(),
        };
        save(folder, &self.network, card)
    }

    /// Digest of the weights as they are stored.
    pub fn weights_sha256(&self) -> String {
        sha256_bytes(&to_safetensors(&self.network.named_weights()))
    }

    /// The teacher as solvers see it.
    ///
    /// `labels` hold one class per sample of the batches to come; with `clamp`, predictions are
    /// clamped to `[-1, 1]`, as published samplers do.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> UNetDenoiser<'_> {
        let (network, prediction) = (&self.network, self.prediction);
        UNetDenoiser {
            network,
            prediction,
            labels,
            clamp,
        }
    }
}
