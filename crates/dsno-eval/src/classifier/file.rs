//! Classifiers on disk: `classifier.safetensors` and its description `classifier.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::network::Network;
use super::{Classifier, ClassifierConfig, ClassifierError};
use crate::atomic;

const WEIGHTS: &str = "classifier.safetensors";
const SIDECAR: &str = "classifier.toml";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    space: String,
    sha256: String,
    config: ClassifierConfig,
}

impl Classifier {
    /// Reads a classifier from a folder, strictly.
    ///
    /// The weights must have the digest that the description names, every parameter must be in the
    /// file, and every tensor of the file must be a parameter.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::Read`] if one of the two files cannot be read.
    /// * [`ClassifierError::Sidecar`] if the description is not valid; unknown keys are errors.
    /// * [`ClassifierError::Config`] if no network can be built from it.
    /// * [`ClassifierError::Digest`] if the weights are not the ones described.
    /// * [`ClassifierError::Format`] if the weights are not in safetensors format.
    /// * [`ClassifierError::Keys`] lists every missing, unexpected or misshapen tensor.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ClassifierError> {
        let (sidecar_path, path) = (folder.join(SIDECAR), folder.join(WEIGHTS));
        let read = |path: &Path, source| ClassifierError::Read {
            path: path.to_path_buf(),
            source,
        };
        let text = fs::read_to_string(&sidecar_path).map_err(|e| read(&sidecar_path, e))?;
        let sidecar: Sidecar =
            toml::from_str(&text).map_err(|source| ClassifierError::Sidecar {
                path: sidecar_path,
                source,
            })?;
        sidecar.config.validate()?;
        let bytes = fs::read(&path).map_err(|e| read(&path, e))?;
        let found = digest(&bytes);
        if found != sidecar.sha256 {
            return Err(ClassifierError::Digest {
                path,
                expected: sidecar.sha256,
                found,
            });
        }
        let mut values = unpack(&path, &bytes, &Network::plan(&sidecar.config, device))?;
        let mut take = |name: &str, _: &[usize]| values.remove(name).unwrap_or_default();
        let network = Network::build(&sidecar.config, &mut take, device);
        Ok(Self {
            space: sidecar.space,
            config: sidecar.config,
            network,
        })
    }

    /// Writes the classifier into a folder, which is made if need be.
    ///
    /// Equal classifiers give equal bytes. A process that dies in between leaves either the old
    /// pair or one that [`load`](Self::load) refuses by its digest.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::Write`] if a file cannot be written.
    /// * [`ClassifierError::NotFloat`] if the weights cannot be read from the device.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use dsno_eval::{Classifier, ClassifierConfig};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// let device = Device::flex();
    /// let config = ClassifierConfig {
    ///     image_channels: 1,
    ///     image_size: 8,
    ///     base_channels: 8,
    ///     features: 4,
    ///     classes: 2,
    /// };
    /// let classifier = Classifier::untrained("toy, 4 features", config, 0, &device)?;
    /// classifier.save(folder)?;
    /// assert_eq!(Classifier::load(folder, &device)?.space(), "toy, 4 features");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, folder: &Path) -> Result<(), ClassifierError> {
        let (sidecar_path, path) = (folder.join(SIDECAR), folder.join(WEIGHTS));
        let write = |path: &Path, source| ClassifierError::Write {
            path: path.to_path_buf(),
            source,
        };
        let bytes = self.to_safetensors(&path)?;
        let sidecar = Sidecar {
            space: self.space.clone(),
            sha256: digest(&bytes),
            config: self.config.clone(),
        };
        let text =
            toml::to_string(&sidecar).map_err(|source| ClassifierError::Describe { source })?;
        fs::create_dir_all(folder).map_err(|source| write(folder, source))?;
        atomic::write(&path, &bytes).map_err(|source| write(&path, source))?;
        atomic::write(&sidecar_path, text.as_bytes()).map_err(|source| write(&sidecar_path, source))
    }

    fn to_safetensors(&self, path: &Path) -> Result<Vec<u8>, ClassifierError> {
        let format = |source| ClassifierError::Format {
            path: path.to_path_buf(),
            source,
        };
        let parameters = self.network.parameters()?;
        let bytes: Vec<Vec<u8>> = parameters
            .iter()
            .map(|parameter| {
                parameter
                    .values
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect()
            })
            .collect();
        let views = parameters
            .iter()
            .zip(&bytes)
            .map(|(parameter, bytes)| {
                let view = TensorView::new(Dtype::F32, parameter.shape.clone(), bytes)?;
                Ok((parameter.name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(format)?;
        // No metadata: its order in the file would be random.
        safetensors::serialize(views, None).map_err(format)
    }
}

/// The values of every planned parameter, or all differences at once.
fn unpack(
    path: &Path,
    bytes: &[u8],
    plan: &[(String, Vec<usize>)],
) -> Result<BTreeMap<String, Vec<f32>>, ClassifierError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|source| ClassifierError::Format {
        path: path.to_path_buf(),
        source,
    })?;
    let (mut missing, mut mismatched) = (Vec::new(), Vec::new());
    let mut values = BTreeMap::new();
    for (name, shape) in plan {
        match tensors.tensor(name) {
            Err(_absent) => missing.push(name.clone()),
            Ok(view) if view.shape() != shape || view.dtype() != Dtype::F32 => {
                mismatched.push(format!(
                    "{name}: {:?} {:?} for F32 {shape:?}",
                    view.dtype(),
                    view.shape()
                ));
            }
            Ok(view) => {
                let (numbers, _) = view.data().as_chunks::<4>();
                let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
                values.insert(name.clone(), numbers.collect());
            }
        }
    }
    let unexpected: Vec<String> = tensors
        .names()
        .into_iter()
        .filter(|name| !plan.iter().any(|(planned, _)| planned == name))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() && unexpected.is_empty() && mismatched.is_empty() {
        return Ok(values);
    }
    let path = PathBuf::from(path);
    Err(ClassifierError::Keys {
        path,
        missing,
        unexpected,
        mismatched,
    })
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
