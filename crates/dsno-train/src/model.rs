//! Model folders: a network with what is needed to use it.
//!
//! `model.safetensors` holds the weights, `model.toml` all the rest, the weights' SHA-256 included.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use dsno_data::atomic::{WriteError, write_atomic};
use dsno_data::digest::sha256_bytes;
use dsno_ode::{NoiseSchedule, Prediction, Schedule};
use dsno_operator::weights::{WeightError, read_safetensors, to_safetensors};
use dsno_operator::{Architecture, ArchitectureError, NoiseLevels, UNet, UNetDenoiser};
use serde::{Deserialize, Serialize};

/// Name of the description in a model folder.
const CARD: &str = "model.toml";
/// Name of the weights in a model folder.
const WEIGHTS: &str = "model.safetensors";

/// Why a model folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The description does not parse.
    #[error("{} describes no such model: {reason}", path.display())]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        reason: String,
    },
    /// The weights are not the ones that belong to the description.
    #[error("{} has SHA-256 {found}, but its {CARD} says {expected}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Digest found.
        found: String,
        /// Digest expected.
        expected: String,
    },
    /// The architecture cannot be built.
    #[error("{}: {source}", path.display())]
    Architecture {
        /// The description.
        path: PathBuf,
        /// What is wrong.
        source: ArchitectureError,
    },
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A file or folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder cannot be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

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

/// What `model.toml` of a student says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StudentCard {
    kind: StudentKind,
    weights_sha256: String,
    run: String,
    times: Vec<f64>,
    schedule: NoiseSchedule,
    architecture: Architecture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TeacherKind {
    Teacher,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StudentKind {
    Student,
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
            schedule: self.schedule,
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

/// An operator: noise to the states of its trajectory at all of its times, in one pass.
#[derive(Debug)]
pub struct Student {
    /// The network; all times per call.
    pub network: UNet,
    /// Its architecture.
    pub architecture: Architecture,
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
        let card = |weights_sha256| StudentCard {
            kind: StudentKind::Student,
            weights_sha256,
            run: self.run.clone(),
            times: self.times.clone(),
            schedule: self.schedule,
            architecture: self.architecture.clone(),
        };
        save(folder, &self.network, card)
    }

    /// Predicts the whole trajectory.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                          |
    /// |----------|-------------------|-----------------------------------------|
    /// | `noise`  | `[B, C, H, W]`    | standard normal                         |
    /// | `labels` | `B` values        | classes, for a conditional network      |
    /// | returned | `[B, T, C, H, W]` | states at `times`, pixel units          |
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
        self.network
            .forward(noise, NoiseLevels::Shared(&log_snrs), labels)
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

fn read_card<C: for<'de> Deserialize<'de>>(folder: &Path) -> Result<C, ModelError> {
    let path = folder.join(CARD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    toml::from_str(&text).map_err(|error| ModelError::Card {
        path,
        reason: error.to_string().trim().replace('\n', " "),
    })
}

fn load_network(
    folder: &Path,
    architecture: &Architecture,
    expected: &str,
    device: &Device,
) -> Result<UNet, ModelError> {
    let path = folder.join(WEIGHTS);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    let found = sha256_bytes(&bytes);
    drop(bytes);
    if found != expected {
        return Err(ModelError::Digest {
            path,
            found,
            expected: expected.to_owned(),
        });
    }
    let at = |source| ModelError::Architecture {
        path: folder.join(CARD),
        source,
    };
    let network = architecture.init(0, device).map_err(at)?;
    Ok(network.with_weights(read_safetensors(&path)?)?)
}

fn save<C: Serialize>(
    folder: &Path,
    network: &UNet,
    card: impl FnOnce(String) -> C,
) -> Result<(), ModelError> {
    fs::create_dir_all(folder).map_err(|source| ModelError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let bytes = to_safetensors(&network.named_weights());
    let text = toml::to_string(&card(sha256_bytes(&bytes)));
    write_atomic(folder.join(WEIGHTS), &bytes)?;
    write_atomic(
        folder.join(CARD),
        text.expect("invariant: cards are tables").as_bytes(),
    )?;
    Ok(())
}
