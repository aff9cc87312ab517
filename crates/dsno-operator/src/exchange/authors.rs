//! The checkpoints of the DSNO authors' program, in both directions.
//!
//! Their network numbers its modules in the order in which ours lists its parts,
//!
//! ```text
//! all_modules.N.…      N = 0, 1 embedding · [2 classes] · stem · layers · normalisation · head
//! ```
//!
//! so that temporal convolutions shift the numbers of all layers behind them.
//!
//! | parameter                       | their name         | their layout                     |
//! |---------------------------------|--------------------|----------------------------------|
//! | linear maps of the embedding    | `weight`, `bias`   | `[out, in]`                      |
//! | stem, head                      | `weight`, `bias`   | `[out, in, 3, 3]`, as ours       |
//! | residual block, normalisations  | `GroupNorm_0.…`, `GroupNorm_1.…` | as ours            |
//! | residual block, convolutions    | `Conv_0.…`, `Conv_1.…` | as ours                      |
//! | residual block, modulation      | `Dense_0.…`        | `[out, in]`                      |
//! | residual block, shortcut        | `NIN_0.W`, `NIN_0.b` | `[in, out]`, as ours           |
//! | attention                       | `GroupNorm_0.…`, `NINs.…`, `NIN_3.…` | `[q | k | v]` within a head, as ours |
//! | temporal convolution            | `t_conv.weights1`  | `[in, out, modes, 2]`, as ours   |
//! | last normalisation              | `weight`, `bias`   | as ours                          |
//!
//! What is a matter of files is kept: names, layouts, the tiny last weights at the start, imaginary
//! parts that have no effect. What is a bug there is not: more modes than the times have is refused,
//! any number of image channels works, and padding of the time axis does
//! ([`UNet::forward_padded`](crate::UNet::forward_padded)).

mod settings;

pub use settings::{Settings, SettingsError, Trajectory};

use super::ImportError;
use super::mapping::{self, Entry, Layout, transposed};
use crate::config::{UNetConfig, UNetConfigError};
use crate::parts::{Leaf, Part, Place};
use crate::plan::Kind;
use dsno_checkpoint::Checkpoint;
use dsno_checkpoint::{HostTensor, StateDict, WeightError};

/// What else their checkpoints hold: the other set of weights, and the state of the training.
const IGNORED_KEYS: [&str; 5] = ["model.", "ema.", "optim.", "scheduler.", "args."];
/// What distributed training puts in front of every name.
const PARALLEL: &str = "module.";

/// Which of the weights of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightSet {
    /// The moving average, with which they generate (`ema`).
    #[default]
    Average,
    /// The weights of the last step (`model`).
    Latest,
}

impl WeightSet {
    fn prefix(self) -> &'static str {
        match self {
            Self::Average => "ema.",
            Self::Latest => "model.",
        }
    }
}

/// Reads weights under the authors' names.
///
/// The file is a whole checkpoint (`ema.…` and `model.…`, of which `set` is read, with the state of
/// the optimiser, which is left alone) or holds just the network; names may begin with `module.`.
///
/// # Errors
///
/// * [`ImportError::UNetConfig`] and [`ImportError::Foreign`] if they have no such network;
/// * [`ImportError::NoSuchSet`] if the file has the other set only;
/// * [`ImportError::Weights`] with every name or shape that differs;
/// * [`ImportError::Checkpoint`] if a tensor cannot be read.
pub fn read(
    checkpoint: &Checkpoint,
    set: WeightSet,
    architecture: &UNetConfig,
) -> Result<StateDict, ImportError> {
    let entries = entries(architecture)?;
    let network = network(checkpoint, set)?;
    mapping::read(entries, &network, false)
}

/// Gives weights the authors' names and layouts: what their `load_state_dict` takes.
///
/// Reading them back gives the same bits.
///
/// # Errors
///
/// * [`ImportError::UNetConfig`] and [`ImportError::Foreign`] if they have no such network;
/// * [`ImportError::Weights`] if the weights are not the architecture's.
pub fn rename(mut weights: StateDict, architecture: &UNetConfig) -> Result<StateDict, ImportError> {
    let (mut renamed, mut missing, mut misshapen) = (StateDict::new(), vec![], vec![]);
    for mut entry in entries(architecture)? {
        match weights.remove(&entry.ours) {
            None => missing.push(entry.ours),
            Some(found) if found.shape != entry.shape => {
                misshapen.push((entry.ours, found.shape, entry.shape));
            }
            Some(tensor) => {
                let theirs = entry.theirs.swap_remove(0);
                renamed.insert(theirs, stored(tensor, entry.layout));
            }
        }
    }
    let unexpected: Vec<String> = weights.into_keys().collect();
    if missing.is_empty() && unexpected.is_empty() && misshapen.is_empty() {
        return Ok(renamed);
    }
    Err(ImportError::Weights(WeightError::Mismatch {
        missing,
        unexpected,
        misshapen,
    }))
}

fn stored(tensor: HostTensor, layout: Layout) -> HostTensor {
    if layout != Layout::Transposed {
        return tensor;
    }
    let [rows, columns] = [tensor.shape[0], tensor.shape[1]];
    HostTensor {
        shape: vec![columns, rows],
        values: transposed(&tensor.values, columns),
    }
}

/// The network's tensors alone, without prefixes.
fn network(checkpoint: &Checkpoint, set: WeightSet) -> Result<Checkpoint, ImportError> {
    let has = |prefix: &str| checkpoint.names().any(|name| name.starts_with(prefix));
    let whole = has(WeightSet::Average.prefix()) || has(WeightSet::Latest.prefix());
    let network = if !whole {
        checkpoint.clone()
    } else if has(set.prefix()) {
        let stray: Vec<String> = checkpoint
            .names()
            .filter(|name| !IGNORED_KEYS.iter().any(|prefix| name.starts_with(prefix)))
            .map(str::to_owned)
            .collect();
        if !stray.is_empty() {
            return Err(ImportError::Weights(WeightError::Mismatch {
                missing: vec![],
                unexpected: stray,
                misshapen: vec![],
            }));
        }
        checkpoint.sub_dict(set.prefix())
    } else {
        let mut found: Vec<String> = checkpoint
            .names()
            .filter_map(|name| Some(format!("{}.", name.split_once('.')?.0)))
            .collect();
        found.dedup();
        return Err(ImportError::NoSuchSet {
            asked: set.prefix(),
            found,
        });
    };
    let parallel = !network.is_empty() && network.names().all(|name| name.starts_with(PARALLEL));
    Ok(if parallel {
        network.sub_dict(PARALLEL)
    } else {
        network
    })
}

fn entries(architecture: &UNetConfig) -> Result<Vec<Entry>, ImportError> {
    check(architecture)?;
    let place = |number: usize, part: &Part, leaf: &Leaf| {
        let (name, layout) = place(part.place, leaf.name);
        Entry::new(part, leaf, format!("all_modules.{number}.{name}"), layout)
    };
    Ok(architecture.entries(place)?)
}

/// Whether their program has such a network.
fn check(architecture: &UNetConfig) -> Result<(), ImportError> {
    use crate::config::Output;
    let lacks = |what| {
        Err(ImportError::Foreign {
            program: "the DSNO authors' code",
            what,
        })
    };
    architecture.validate()?;
    if architecture.attention_groups != 32 {
        return lacks("`attention_groups` other than 32");
    }
    let own = UNetConfig {
        residual_groups: None,
        ..architecture.clone()
    };
    if own.plan()?.stages != architecture.plan()?.stages {
        return lacks("such `residual_groups`");
    }
    if architecture.output == Output::StateAndNoise {
        return lacks("output `state-and-noise`");
    }
    Ok(())
}

/// Their name for a parameter, behind the number of its module.
fn place(place: Place, leaf: &'static str) -> (&'static str, Layout) {
    use Layout::{Same, Transposed};
    match (place, leaf) {
        (Place::Embedding | Place::Class, "weight") => ("weight", Transposed),
        (Place::Layer(Kind::Temporal { .. }), _) => ("t_conv.weights1", Same),
        (_, "norm_0.gamma" | "norm.gamma") => ("GroupNorm_0.weight", Same),
        (_, "norm_0.beta" | "norm.beta") => ("GroupNorm_0.bias", Same),
        (_, "norm_1.gamma") => ("GroupNorm_1.weight", Same),
        (_, "norm_1.beta") => ("GroupNorm_1.bias", Same),
        (_, "modulation.weight") => ("Dense_0.weight", Transposed),
        (_, "modulation.bias") => ("Dense_0.bias", Same),
        (_, "conv_0.weight") => ("Conv_0.weight", Same),
        (_, "conv_0.bias") => ("Conv_0.bias", Same),
        (_, "conv_1.weight") => ("Conv_1.weight", Same),
        (_, "conv_1.bias") => ("Conv_1.bias", Same),
        (_, "shortcut.weight") => ("NIN_0.W", Same),
        (_, "shortcut.bias") => ("NIN_0.b", Same),
        (_, "qkv.weight") => ("NINs.W", Same),
        (_, "qkv.bias") => ("NINs.b", Same),
        (_, "projection.weight") => ("NIN_3.W", Same),
        (_, "projection.bias") => ("NIN_3.b", Same),
        (_, "gamma") => ("weight", Same),
        (_, "beta") => ("bias", Same),
        (_, own) => (own, Same),
    }
}

impl From<UNetConfigError> for SettingsError {
    fn from(error: UNetConfigError) -> Self {
        Self::Architecture(error)
    }
}

#[cfg(test)]
mod tests;
