//! Weights in and out under their original names, strict in both directions.

use std::collections::BTreeMap;

use super::blueprint::Blueprint;
use super::entries::Entry;
use super::network::DdpmNetwork;
use crate::weights::{named_parameters, with_parameters};
use dsno_checkpoint::{Checkpoint, CheckpointError, KeyMapping};
use dsno_checkpoint::{HostTensor, StateDict, WeightError};

/// Why a network of the DDPM family could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DdpmError {
    /// The architecture is impossible.
    #[error(transparent)]
    Architecture(#[from] super::DdpmArchitectureError),
    /// The weights do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The weights cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl DdpmNetwork {
    /// Copies all weights to the host, under the names of the original.
    pub fn state_dict(&self) -> StateDict {
        let mut ours = named_parameters(self);
        let entries = self.blueprint.entries().into_iter();
        entries
            .filter_map(|entry| Some((entry.theirs, ours.remove(&entry.ours)?)))
            .collect()
    }

    /// Replaces all weights; names and shapes must be exactly the network's.
    ///
    /// Where newer versions of the original have renamed a tensor, the older name is taken too, and
    /// maps of attention may be stored as convolutions over any number of axes.
    ///
    /// # Errors
    ///
    /// [`DdpmError::Weights`] lists every difference at once.
    pub fn load_state_dict(self, mut weights: StateDict) -> Result<Self, DdpmError> {
        let found = weights
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        let matched = match_up(&self.blueprint, found.collect())?;
        let ours = matched.into_iter().filter_map(|(entry, name)| {
            let HostTensor { values, .. } = weights.remove(&name)?;
            let shape = entry.shape;
            Some((entry.ours, HostTensor { shape, values }))
        });
        let ours = ours.collect();
        Ok(with_parameters(self, ours)?)
    }

    /// Reads all weights, one tensor at a time.
    pub(crate) fn load(self, checkpoint: &Checkpoint) -> Result<Self, DdpmError> {
        let matched = match_up(&self.blueprint, shapes(checkpoint))?;
        let mut ours = StateDict::new();
        for (entry, name) in matched {
            let HostTensor { values, .. } = checkpoint.read(&name)?;
            let shape = entry.shape;
            ours.insert(entry.ours, HostTensor { shape, values });
        }
        Ok(with_parameters(self, ours)?)
    }
}

impl Blueprint {
    /// Finds all weights in a file, which has nothing else; no values are read.
    pub(crate) fn find(&self, checkpoint: &Checkpoint) -> Result<Vec<KeyMapping>, WeightError> {
        let matched = match_up(self, shapes(checkpoint))?.into_iter();
        let weight = |(entry, stored): (Entry, String)| KeyMapping {
            name: entry.theirs,
            shape: entry.shape,
            stored,
        };
        Ok(matched.map(weight).collect())
    }
}

fn shapes(checkpoint: &Checkpoint) -> BTreeMap<String, Vec<usize>> {
    let shape = |name| checkpoint.shape(name).unwrap_or_default().to_vec();
    checkpoint
        .names()
        .map(|name| (name.to_owned(), shape(name)))
        .collect()
}

/// Finds each tensor of the network among those of a file: the entry and its name there.
fn match_up(
    blueprint: &Blueprint,
    mut found: BTreeMap<String, Vec<usize>>,
) -> Result<Vec<(Entry, String)>, WeightError> {
    let (mut matched, mut missing, mut misshapen) = (Vec::new(), Vec::new(), Vec::new());
    for entry in blueprint.entries() {
        let older = blueprint.dialect.older(&entry.theirs);
        let names = [Some(entry.theirs.clone()), older];
        let name = names
            .into_iter()
            .flatten()
            .find(|name| found.contains_key(name));
        let shape = name.as_deref().and_then(|name| found.remove(name));
        match (name, shape) {
            (Some(name), Some(shape)) if entry.accepts(&shape) => matched.push((entry, name)),
            (Some(name), Some(shape)) => misshapen.push((name, shape, entry.shape)),
            _ => missing.push(entry.theirs),
        }
    }
    if missing.is_empty() && misshapen.is_empty() && found.is_empty() {
        return Ok(matched);
    }
    Err(WeightError::Mismatch {
        missing,
        unexpected: found.into_keys().collect(),
        misshapen,
    })
}

impl super::Dialect {
    /// The name by which older files call a tensor, if it was renamed.
    fn older(&self, name: &str) -> Option<String> {
        let (module, leaf) = name.rsplit_once('.')?;
        self.older.iter().find_map(|(present, older)| {
            let start = module.strip_suffix(present)?.strip_suffix('.')?;
            Some(format!("{start}.{older}.{leaf}"))
        })
    }
}
