//! Where the parameters of a network lie in a file, and how.

use crate::config::{UNetConfig, UNetConfigError};
use crate::parts::{Leaf, Part};
use dsno_checkpoint::{Checkpoint, CheckpointError};
use dsno_checkpoint::{HostTensor, StateDict, WeightError};

/// Why another program's weights cannot become a network of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The architecture is impossible.
    #[error(transparent)]
    Architecture(#[from] UNetConfigError),
    /// The architecture is possible, but the other program has no such network.
    #[error("{program} has no network with {what}")]
    Foreign {
        /// The other program.
        program: &'static str,
        /// What it lacks.
        what: &'static str,
    },
    /// The file does not hold the set of weights that was asked for.
    #[error("the file has no weights under `{asked}`, only under {found:?}")]
    NoSuchSet {
        /// Where they were to be.
        asked: &'static str,
        /// What names begin with.
        found: Vec<String>,
    },
    /// A tensor cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Names or shapes are not those of the architecture.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// How a parameter of ours is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As ours.
    Same,
    /// `[out, in]`, ours is `[in, out]`.
    Transposed,
    /// `[3, 3, in, out]`, ours is `[out, in, 3, 3]`.
    ChannelsLast,
    /// Queries, keys and values apart, each `[…, heads, d]`; ours is `[…, heads·3·d]`, head by head.
    HeadsApart {
        /// Number of heads.
        heads: usize,
    },
    /// The axes before the last are apart: `[heads, d, out]`, ours is `[in, out]`.
    HeadsFirst {
        /// Number of heads.
        heads: usize,
    },
}

/// One parameter of ours and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ours: String,
    pub(crate) shape: Vec<usize>,
    /// Several only for [`Layout::HeadsApart`].
    pub(crate) theirs: Vec<String>,
    pub(crate) layout: Layout,
}

impl Entry {
    pub(crate) fn new(part: &Part, leaf: &Leaf, theirs: String, layout: Layout) -> Self {
        Self {
            ours: part.name(leaf),
            shape: leaf.shape.clone(),
            theirs: vec![theirs],
            layout,
        }
    }

    /// Shape of each stored tensor.
    pub(crate) fn stored_shape(&self) -> Vec<usize> {
        let shape = &self.shape;
        match self.layout {
            Layout::Same => shape.clone(),
            Layout::Transposed => vec![shape[1], shape[0]],
            Layout::ChannelsLast => vec![3, 3, shape[1], shape[0]],
            Layout::HeadsApart { heads } => {
                let (last, rest) = shape.split_last().expect("invariant: shapes have axes");
                [rest, &[heads, last / 3 / heads]].concat()
            }
            Layout::HeadsFirst { heads } => vec![heads, shape[0] / heads, shape[1]],
        }
    }

    /// Turns the stored tensors into the parameter.
    fn convert(&self, mut stored: Vec<HostTensor>) -> HostTensor {
        let values = match self.layout {
            Layout::Same | Layout::HeadsFirst { .. } => stored.swap_remove(0).values,
            Layout::Transposed => transposed(&stored[0].values, self.shape[0]),
            // `[9·in, out]` to `[out, 9·in]`, then taps behind the channels of each.
            Layout::ChannelsLast => {
                let [o, i] = [self.shape[0], self.shape[1]];
                let kernels = transposed(&stored[0].values, o);
                kernels
                    .chunks(9 * i)
                    .flat_map(|kernel| transposed(kernel, i))
                    .collect()
            }
            Layout::HeadsApart { heads } => {
                let d = self.shape[self.shape.len() - 1] / 3 / heads;
                interleaved(&stored, d)
            }
        };
        HostTensor {
            shape: self.shape.clone(),
            values,
        }
    }
}

/// Reads all entries from `checkpoint`, which has nothing else.
///
/// With `squeeze`, axes of length one count for nothing when shapes are compared.
pub(crate) fn read(
    entries: Vec<Entry>,
    checkpoint: &Checkpoint,
    squeeze: bool,
) -> Result<StateDict, ImportError> {
    check(&entries, checkpoint, squeeze)?;
    let mut weights = StateDict::new();
    for entry in entries {
        let stored: Result<Vec<_>, _> = entry.theirs.iter().map(|n| checkpoint.read(n)).collect();
        let tensor = entry.convert(stored?);
        weights.insert(entry.ours, tensor);
    }
    Ok(weights)
}

/// Lists every difference between what is there and what should be.
fn check(entries: &[Entry], checkpoint: &Checkpoint, squeeze: bool) -> Result<(), WeightError> {
    let same = |found: &[usize], expected: &[usize]| {
        let long = |shape: &[usize]| -> Vec<usize> {
            shape
                .iter()
                .copied()
                .filter(|&n| !squeeze || n != 1)
                .collect()
        };
        long(found) == long(expected)
    };
    let (mut missing, mut misshapen, mut known) = (vec![], vec![], vec![]);
    for entry in entries {
        let expected = entry.stored_shape();
        for name in &entry.theirs {
            match checkpoint.shape(name) {
                None => missing.push(name.clone()),
                Some(found) if !same(found, &expected) => {
                    misshapen.push((name.clone(), found.to_vec(), expected.clone()));
                }
                Some(_) => {}
            }
            known.push(name.as_str());
        }
    }
    known.sort_unstable();
    let unexpected: Vec<String> = checkpoint
        .names()
        .filter(|name| known.binary_search(name).is_err())
        .map(str::to_owned)
        .collect();
    if missing.is_empty() && unexpected.is_empty() && misshapen.is_empty() {
        return Ok(());
    }
    Err(WeightError::Mismatch {
        missing,
        unexpected,
        misshapen,
    })
}

/// `[columns, rows]` to `[rows, columns]`.
pub(crate) fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..values.len())
        .map(|k| values[(k % columns) * rows + k / columns])
        .collect()
}

/// `[…, heads, d]` three times to `[…, heads, 3, d]`.
fn interleaved(parts: &[HostTensor], d: usize) -> Vec<f32> {
    let rows = parts[0].values.len() / d;
    let row = |row: usize| {
        let of = move |part: &HostTensor| part.values[row * d..(row + 1) * d].to_vec();
        parts.iter().flat_map(of)
    };
    (0..rows).flat_map(row).collect()
}

impl UNetConfig {
    /// One entry for every parameter, as `place` says for the part with its number and for the leaf.
    pub(crate) fn entries(
        &self,
        mut place: impl FnMut(usize, &Part, &Leaf) -> Entry,
    ) -> Result<Vec<Entry>, UNetConfigError> {
        let parts = self.plan()?.parts(self);
        let mut entries = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            for leaf in &part.leaves {
                entries.push(place(number, part, leaf));
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests;
