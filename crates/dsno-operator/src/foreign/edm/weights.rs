//! Weights in and out under their original names, strict in both directions.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use burn::tensor::Device;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::architecture::EdmArchitecture;
use super::entries::{Buffer, Entry, FREQUENCIES, LEVELS, MODEL};
use super::error::EdmError;
use super::layer::Filter;
use super::network::EdmNetwork;
use super::plan::Plan;
use crate::weights::{named_parameters, with_parameters};
use dsno_checkpoint::Checkpoint;
use dsno_checkpoint::{HostTensor, StateDict, WeightError};

/// Standard deviation of fresh Fourier frequencies.
const FREQUENCY_SCALE: f64 = 16.0;
/// Stored filters are products of f32 quotients; of the largest tap.
const FILTER_ROUNDING: f32 = 1e-6;

impl EdmArchitecture {
    /// Builds the network and loads a state dict of it, one tensor at a time.
    ///
    /// Names are those of the preconditioned network (`model.enc.…`); where they lie below a prefix,
    /// give [`Checkpoint::sub_dict`] of it.
    ///
    /// # Errors
    ///
    /// * [`EdmError::UNetConfig`] as [`Self::validate`];
    /// * [`EdmError::Weights`] with every missing, unexpected and misshapen tensor at once, before any
    ///   values are read;
    /// * [`EdmError::Checkpoint`] if a tensor cannot be read;
    /// * [`EdmError::OtherFilter`] if the file's resampling filter is not this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use dsno_checkpoint::{Checkpoint, CheckpointFormat};
    /// # use dsno_operator::foreign::edm::{EdmArchitecture, EdmModel, Preconditioning};
    /// use dsno_operator::weights::to_safetensors;
    /// # let architecture = EdmArchitecture { img_resolution: 4, img_channels: 1, label_dim: 0,
    /// #     augment_dim: 0, model_channels: 8, channel_mult: vec![1], channel_mult_emb: 2,
    /// #     num_blocks: 1, attn_resolutions: vec![], dropout: 0.0,
    /// #     model: EdmModel::DhariwalUNet {},
    /// #     preconditioning: Preconditioning::Edm { sigma_data: 0.5 } };
    ///
    /// let device = Device::flex();
    /// let weights = architecture.init(1, &device)?.state_dict();
    /// assert_eq!(weights["model.enc.4x4_conv.weight"].shape, [8, 1, 3, 3]);
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("weights.safetensors");
    /// std::fs::write(&path, to_safetensors(&weights))?;
    /// let checkpoint = Checkpoint::open(&path, CheckpointFormat::Safetensors)?;
    /// let network = architecture.load(&checkpoint, &device)?;
    /// assert_eq!(network.state_dict(), weights);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(&self, checkpoint: &Checkpoint, device: &Device) -> Result<EdmNetwork, EdmError> {
        let entries = self.plan()?.entries(self);
        let found = checkpoint.names().map(|name| {
            let shape = checkpoint.shape(name).unwrap_or_default();
            (name.to_owned(), shape.to_vec())
        });
        check(&entries, found)?;
        let mut weights = StateDict::new();
        for entry in entries {
            let tensor = checkpoint.read(&entry.name)?;
            weights.insert(entry.name, tensor);
        }
        self.init(0, device)?.load_state_dict(weights)
    }
}

impl EdmNetwork {
    /// Copies all weights to the host, under the names of the original.
    pub fn state_dict(&self) -> StateDict {
        let nodes = self.node_names();
        let mut weights = self.constants.clone();
        for (ours, tensor) in named_parameters(self) {
            let theirs = ours.strip_prefix("layers.").and_then(|rest| {
                let (number, rest) = rest.split_once('.')?;
                let node = nodes.get(number.parse::<usize>().ok()?)?;
                Some(format!("{MODEL}{node}.{rest}"))
            });
            let name = theirs.unwrap_or_else(|| format!("{MODEL}{ours}"));
            weights.insert(name, tensor);
        }
        weights
    }

    /// Replaces all weights; names, shapes and resampling filters must be exactly the network's.
    ///
    /// # Errors
    ///
    /// * [`EdmError::Weights`] lists every difference at once;
    /// * [`EdmError::OtherFilter`] if a resampling filter is not the architecture's.
    pub fn load_state_dict(self, mut weights: StateDict) -> Result<Self, EdmError> {
        let arch = self.architecture.clone();
        let entries = arch.plan()?.entries(&arch);
        let found = weights
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        check(&entries, found)?;
        let filter = Filter::new(arch.taps()).stored();
        let mut constants = StateDict::new();
        for entry in entries.into_iter().filter(|e| e.buffer.is_some()) {
            let Some(tensor) = weights.remove(&entry.name) else {
                continue;
            };
            if entry.buffer == Some(Buffer::Filter) {
                check_filter(&entry.name, &tensor, &filter)?;
            }
            constants.insert(entry.name, tensor);
        }
        let nodes = self.node_names();
        let ours = |theirs: String| {
            let name = theirs.strip_prefix(MODEL).unwrap_or(&theirs);
            let layer = nodes.iter().enumerate().find_map(|(i, node)| {
                let rest = name.strip_prefix(node.as_str())?.strip_prefix('.')?;
                Some(format!("layers.{i}.{rest}"))
            });
            layer.unwrap_or_else(|| name.to_owned())
        };
        let renamed = weights
            .into_iter()
            .map(|(name, tensor)| (ours(name), tensor));
        let network = with_parameters(self, renamed.collect())?;
        Ok(network.with_constants(constants))
    }

    fn node_names(&self) -> Vec<String> {
        let plan = self.architecture.plan();
        let plan = plan.expect("invariant: the network was built from it");
        plan.nodes.into_iter().map(|node| node.name).collect()
    }
}

/// What is stored and not trained, for a fresh network.
pub(super) fn constants(arch: &EdmArchitecture, plan: &Plan, seed: u64) -> StateDict {
    let filter = Filter::new(arch.taps()).stored();
    let entries = plan.entries(arch).into_iter();
    entries
        .filter(|entry| entry.buffer.is_some())
        .map(|entry| {
            let values = match entry.name.as_str() {
                FREQUENCIES => frequencies(seed, entry.shape[0]),
                LEVELS => arch.preconditioning.levels().unwrap_or_default(),
                _ => filter.clone(),
            };
            let tensor = HostTensor {
                shape: entry.shape,
                values,
            };
            (entry.name, tensor)
        })
        .collect()
}

/// Normal draws from stream 0, which no parameter uses, by the method of Box and Muller.
fn frequencies(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count)
        .map(|_| {
            let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
            (FREQUENCY_SCALE * radius * (TAU * uniform()).cos()) as f32
        })
        .collect()
}

/// Compares what a file holds with what the network needs.
fn check(
    entries: &[Entry],
    found: impl Iterator<Item = (String, Vec<usize>)>,
) -> Result<(), WeightError> {
    let mut unexpected: BTreeMap<String, Vec<usize>> = found.collect();
    let (mut missing, mut misshapen) = (Vec::new(), Vec::new());
    for entry in entries {
        match unexpected.remove(&entry.name) {
            None => missing.push(entry.name.clone()),
            Some(shape) if shape != entry.shape => {
                misshapen.push((entry.name.clone(), shape, entry.shape.clone()));
            }
            Some(_) => {}
        }
    }
    if missing.is_empty() && misshapen.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    Err(WeightError::Mismatch {
        missing,
        unexpected: unexpected.into_keys().collect(),
        misshapen,
    })
}

fn check_filter(name: &str, tensor: &HostTensor, expected: &[f32]) -> Result<(), EdmError> {
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (&found, &expected) in tensor.values.iter().zip(expected) {
        // Written so that NaN is refused too.
        let close = (found - expected).abs() <= FILTER_ROUNDING * largest;
        if !close {
            return Err(EdmError::OtherFilter {
                name: name.to_owned(),
                found,
                expected,
            });
        }
    }
    Ok(())
}
