//! Where the parameters of a network lie in a file, and the strict match-up of the two.

use std::collections::BTreeMap;

use dsno_checkpoint::{Checkpoint, HostTensor, StateDict, WeightError};

use crate::layout::Layout;
use crate::parts::{Leaf, Part};
use crate::plan::Plan;

/// One parameter of ours and where it lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path of the parameter in the network's module.
    pub(crate) ours: String,
    pub(crate) shape: Vec<usize>,
    /// Names of the tensors that hold it, one behind the other.
    pub(crate) theirs: Vec<String>,
    pub(crate) layout: Layout,
    /// Axes of length one count for nothing when shapes are compared.
    pub(crate) squeezes: bool,
}

impl Entry {
    pub(crate) fn new(part: &Part, leaf: &Leaf, theirs: Vec<String>, layout: Layout) -> Self {
        Self {
            ours: part.name(leaf),
            shape: leaf.shape.clone(),
            theirs,
            layout,
            squeezes: false,
        }
    }

    fn accepts(&self, found: &[usize]) -> bool {
        let long = |shape: &[usize]| -> Vec<usize> {
            let long = shape.iter().copied().filter(|&n| n != 1);
            long.collect()
        };
        let stored = self.layout.stored();
        found == stored || (self.squeezes && long(found) == long(stored))
    }

    /// Turns the stored tensors into the parameter.
    pub(crate) fn read(&self, stored: Vec<HostTensor>) -> HostTensor {
        let values: Vec<f32> = match <[_; 1]>::try_from(stored) {
            Ok([only]) => only.values,
            Err(several) => several.into_iter().flat_map(|t| t.values).collect(),
        };
        HostTensor {
            shape: self.shape.clone(),
            values: self.layout.read(values),
        }
    }

    /// Turns the parameter into the tensors to store, by name.
    pub(crate) fn write(self, ours: HostTensor) -> impl Iterator<Item = (String, HostTensor)> {
        let shape = self.layout.stored().to_vec();
        let values = self.layout.write(ours.values);
        let length = values.len() / self.theirs.len();
        let parts: Vec<Vec<f32>> = if self.theirs.len() == 1 {
            vec![values]
        } else {
            values.chunks(length).map(<[f32]>::to_vec).collect()
        };
        let tensor = move |(name, values)| {
            let shape = shape.clone();
            (name, HostTensor { shape, values })
        };
        self.theirs.into_iter().zip(parts).map(tensor)
    }
}

/// Names and shapes of what a file holds.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// Names and shapes of all tensors of a file.
pub(crate) fn shapes_of(checkpoint: &Checkpoint) -> Shapes {
    let shape = |name: &str| checkpoint.shape(name).unwrap_or_default().to_vec();
    let named = |name: &str| (name.to_owned(), shape(name));
    checkpoint.names().map(named).collect()
}

/// Names and shapes of weights.
pub(crate) fn shapes_in(weights: &StateDict) -> Shapes {
    let named = |(name, tensor): (&String, &HostTensor)| (name.clone(), tensor.shape.clone());
    weights.iter().map(named).collect()
}

/// Finds all entries among `found`, which has nothing else; the entries then name what is there.
///
/// `older` gives the name that older files have for a tensor, if there is one.
pub(crate) fn match_up(
    entries: Vec<Entry>,
    mut found: Shapes,
    older: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Entry>, WeightError> {
    let (mut matched, mut missing, mut misshapen) = (Vec::new(), Vec::new(), Vec::new());
    for mut entry in entries {
        for place in 0..entry.theirs.len() {
            let present = entry.theirs[place].clone();
            let names = [Some(present.clone()), older(&present)];
            let name = names.into_iter().flatten().find(|n| found.contains_key(n));
            let Some((name, shape)) = name.and_then(|name| found.remove_entry(&name)) else {
                missing.push(present);
                continue;
            };
            if entry.accepts(&shape) {
                entry.theirs[place] = name;
            } else {
                misshapen.push((name, shape, entry.layout.stored().to_vec()));
            }
        }
        matched.push(entry);
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

/// Reads all parameters of matched entries, one tensor at a time, under our names.
pub(crate) fn read<E>(
    entries: Vec<Entry>,
    mut tensor: impl FnMut(&str) -> Result<HostTensor, E>,
) -> Result<StateDict, E> {
    let mut weights = StateDict::new();
    for entry in entries {
        let stored: Result<Vec<_>, _> = entry.theirs.iter().map(|n| tensor(n)).collect();
        let tensor = entry.read(stored?);
        weights.insert(entry.ours, tensor);
    }
    Ok(weights)
}

/// Gives weights under our names their names and layouts in a file.
pub(crate) fn write(entries: Vec<Entry>, mut weights: StateDict) -> Result<StateDict, WeightError> {
    let ours = entries.iter().map(|entry| Entry {
        theirs: vec![entry.ours.clone()],
        layout: Layout::same(&entry.shape),
        ..entry.clone()
    });
    match_up(ours.collect(), shapes_in(&weights), |_| None)?;
    let stored = entries.into_iter().filter_map(|entry| {
        let tensor = weights.remove(&entry.ours)?;
        Some(entry.write(tensor))
    });
    Ok(stored.flatten().collect())
}

impl Plan {
    /// One entry for every parameter, as `place` says for the part with its number and for the leaf.
    pub(crate) fn entries_by(&self, place: impl Fn(usize, &Part, &Leaf) -> Entry) -> Vec<Entry> {
        let parts = self.parts();
        let entries = parts.iter().enumerate().flat_map(|(number, part)| {
            let place = &place;
            let leaves = part.leaves.iter();
            leaves.map(move |leaf| place(number, part, leaf))
        });
        entries.collect()
    }
}
