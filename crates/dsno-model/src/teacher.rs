//! A diffusion model in its folder.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::WeightError;
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_ode::{Denoiser, NoiseSchedule, Prediction};
use dsno_operator::UNetConfig;
use dsno_operator::foreign::diffusers::DiffusersArchitecture;
use dsno_operator::foreign::edm::EdmArchitecture;
use dsno_operator::foreign::guided::GuidedArchitecture;
use serde::Serialize;
use toml::Table;

use crate::folder::{CARD, WEIGHTS, check_digest, load_network};
use crate::{Family, ModelError, TeacherArchitecture, TeacherDescription, TeacherNetwork};
use dsno_checkpoint::Weights;

/// A diffusion model: predicts from a noisy image at one noise level.
#[derive(Debug)]
pub struct Teacher {
    /// The network; one time per call.
    pub network: TeacherNetwork,
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
        let Card {
            description,
            weights_sha256,
            run,
        } = Card::read(folder)?;
        let network = match description.architecture {
            TeacherArchitecture::Unet {
                architecture,
                prediction,
            } => TeacherNetwork::Unet {
                network: load_network(folder, &architecture, &weights_sha256, device)?,
                architecture,
                prediction,
            },
            foreign => {
                let path = folder.join(WEIGHTS);
                check_digest(&path, &weights_sha256)?;
                let file = Checkpoint::open(&path, CheckpointFormat::Safetensors);
                foreign.load(&file.map_err(WeightError::from)?, device)?
            }
        };
        Ok(Self {
            network,
            schedule: description.schedule,
            run,
        })
    }

    /// Writes a teacher's folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Folder`] or [`ModelError::Write`]; old files stay whole.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let description = TeacherDescription {
            architecture: self.network.architecture(),
            schedule: self.schedule.clone(),
        };
        let weights = self.network.state_dict();
        description.save_as(folder, Weights::Named(&weights), &self.run)
    }

    /// Channels, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        self.network.architecture().image_shape()
    }

    /// Number of classes; 0 for an unconditional teacher.
    pub fn classes(&self) -> usize {
        self.network.architecture().classes()
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
    /// to `[-1, 1]`, as published samplers do.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> Box<dyn Denoiser + '_> {
        self.network.denoiser(labels, clamp)
    }
}

/// What `model.toml` of a teacher says.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) description: TeacherDescription,
    weights_sha256: String,
    /// Digest of the run that made it; empty for imported models.
    run: String,
}

impl Card {
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(CARD);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ModelError::Read { path, source }),
        };
        Self::parse(&text).map_err(|reason| ModelError::Card { path, reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table = text.parse::<Table>();
        let mut table = table.map_err(|error| error.to_string().trim().replace('\n', " "))?;
        let mut take = |key: &str| match table.remove(key) {
            Some(toml::Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(format!("`{key}` is {other}, expected text")),
            None => Ok(None),
        };
        let needed = |key: &str, value: Option<String>| value.ok_or(format!("no key `{key}`"));
        let kind = needed("kind", take("kind")?)?;
        if kind != "teacher" {
            return Err(format!("kind is `{kind}`, expected `teacher`"));
        }
        let family = take("family")?.map(|name| name.parse()).transpose()?;
        let weights_sha256 = needed("weights_sha256", take("weights_sha256")?)?;
        let run = needed("run", take("run")?)?;
        let description = TeacherDescription::from_table(family.unwrap_or(Family::Unet), table);
        Ok(Self {
            description: description.map_err(|error| error.to_string())?,
            weights_sha256,
            run,
        })
    }

    /// The text of the card. Our own family goes without saying.
    pub(crate) fn text(
        description: &TeacherDescription,
        weights_sha256: &str,
        run: &str,
    ) -> Result<String, toml::ser::Error> {
        let (architecture, prediction) = match &description.architecture {
            TeacherArchitecture::Unet {
                architecture,
                prediction,
            } => (Keys::Unet(architecture), Some(*prediction)),
            TeacherArchitecture::Diffusers(architecture) => (Keys::Diffusers(architecture), None),
            TeacherArchitecture::Guided(architecture) => (Keys::Guided(architecture), None),
            TeacherArchitecture::Edm(architecture) => (Keys::Edm(architecture), None),
        };
        let family = description.architecture.family();
        toml::to_string(&Text {
            kind: "teacher",
            family: (family != Family::Unet).then_some(family),
            weights_sha256,
            run,
            prediction,
            schedule: &description.schedule,
            architecture,
        })
    }
}

#[derive(Serialize)]
struct Text<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<Family>,
    weights_sha256: &'a str,
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<Prediction>,
    schedule: &'a NoiseSchedule,
    architecture: Keys<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Keys<'a> {
    Unet(&'a UNetConfig),
    Diffusers(&'a DiffusersArchitecture),
    Guided(&'a GuidedArchitecture),
    Edm(&'a EdmArchitecture),
}
