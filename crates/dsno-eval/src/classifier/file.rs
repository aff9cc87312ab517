//! Classifiers on disk: `classifier.safetensors` and its description `classifier.toml`.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::atomic::write_atomic;
use dsno_checkpoint::digest::sha256_bytes;
use dsno_checkpoint::{Checkpoint, CheckpointFormat, DType, StateDict, to_safetensors};
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::{Classifier, ClassifierConfig, ClassifierError};

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
    /// * [`ClassifierError::Checkpoint`] if the weights are not in safetensors format.
    /// * [`ClassifierError::Keys`] lists every missing, unexpected or misshapen tensor.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ClassifierError> {
        let (sidecar, bytes) = read(folder)?;
        let plan = Network::plan(&sidecar.config, device);
        let weights = read_weights(&folder.join(WEIGHTS), bytes, &plan)?;
        let network = Network::from_weights(&sidecar.config, weights, device);
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
    /// * [`ClassifierError::Folder`] or [`ClassifierError::Write`] if a file cannot be written.
    /// * [`ClassifierError::NotFloat`] if the weights cannot be read from the device.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use dsno_eval::{Classifier, ClassifierConfig, Features};
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
        let bytes = to_safetensors(&self.network.weights()?);
        let sidecar = Sidecar {
            space: self.space.clone(),
            sha256: sha256_bytes(&bytes),
            config: self.config.clone(),
        };
        let text = toml::to_string(&sidecar).expect("invariant: descriptions are plain data");
        fs::create_dir_all(folder).map_err(|source| ClassifierError::Folder {
            path: folder.to_path_buf(),
            source,
        })?;
        write_atomic(&path, &bytes)?;
        Ok(write_atomic(&sidecar_path, text.as_bytes())?)
    }
}

impl ClassifierConfig {
    /// Reads what a folder says of its classifier and compares the weights with their digest; needs no
    /// device.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::load`] but for what is inside the weights.
    pub fn read(folder: &Path) -> Result<Self, ClassifierError> {
        read(folder).map(|(sidecar, _)| sidecar.config)
    }
}

/// The description, and the weights that it is of.
fn read(folder: &Path) -> Result<(Sidecar, Vec<u8>), ClassifierError> {
    let (sidecar_path, path) = (folder.join(SIDECAR), folder.join(WEIGHTS));
    let failed = |path: &Path, source| ClassifierError::Read {
        path: path.to_path_buf(),
        source,
    };
    let text = fs::read_to_string(&sidecar_path).map_err(|e| failed(&sidecar_path, e))?;
    let sidecar: Sidecar = toml::from_str(&text).map_err(|source| ClassifierError::Sidecar {
        path: sidecar_path,
        source,
    })?;
    sidecar.config.validate()?;
    let bytes = fs::read(&path).map_err(|e| failed(&path, e))?;
    let found = sha256_bytes(&bytes);
    if found != sidecar.sha256 {
        return Err(ClassifierError::Digest {
            path,
            expected: sidecar.sha256,
            found,
        });
    }
    Ok((sidecar, bytes))
}

/// All planned weights, or all differences at once.
fn read_weights(
    path: &Path,
    bytes: Vec<u8>,
    plan: &[(String, Vec<usize>)],
) -> Result<StateDict, ClassifierError> {
    let file = Checkpoint::from_reader(Cursor::new(bytes), path, CheckpointFormat::Safetensors)?;
    let (mut missing, mut mismatched) = (Vec::new(), Vec::new());
    for (name, shape) in plan {
        match (file.dtype(name), file.shape(name)) {
            (Some(DType::F32), Some(found)) if found == shape => {}
            (Some(dtype), Some(found)) => {
                mismatched.push(format!("{name}: {dtype:?} {found:?} for F32 {shape:?}"));
            }
            _ => missing.push(name.clone()),
        }
    }
    let mut unexpected: Vec<String> = file.names().map(str::to_owned).collect();
    unexpected.retain(|name| plan.iter().all(|(planned, _)| planned != name));
    if missing.is_empty() && unexpected.is_empty() && mismatched.is_empty() {
        let tensor = |name: &str| Ok((name.to_owned(), file.read(name)?));
        return file.names().map(tensor).collect();
    }
    Err(ClassifierError::Keys {
        path: path.to_path_buf(),
        missing,
        unexpected,
        mismatched,
    })
}
