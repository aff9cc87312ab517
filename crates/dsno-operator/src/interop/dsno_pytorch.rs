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

use dsno_checkpoint::{Checkpoint, StateDict};

use super::{ImportError, RunLayout, WeightSet, read_set};
use crate::entry::{self, Entry};
use crate::family::unet::{Output, UNetConfig};
use crate::layout::Layout;
use crate::parts::{Leaf, Part, Place};
use crate::plan::Kind;

/// Their checkpoints: two sets of weights, and the state of the training.
const RUN: RunLayout = RunLayout {
    prefixes: ["ema.", "model."],
    marks: ["ema.", "model."],
    ignored: &["model.", "ema.", "optim.", "scheduler.", "args."],
    // What distributed training puts in front of every name.
    wrapper: "module.",
    separator: '.',
};

/// Reads weights under the authors' names.
///
/// The file is a whole checkpoint (`ema.…` and `model.…`, of which `set` is read, with the state of
/// the optimiser, which is left alone) or holds just the network; names may begin with `module.`.
///
/// # Errors
///
/// * [`ImportError::Architecture`] and [`ImportError::Foreign`] if they have no such network;
/// * [`ImportError::NoSuchSet`] if the file has the other set only;
/// * [`ImportError::Weights`] with every name or shape that differs;
/// * [`ImportError::Checkpoint`] if a tensor cannot be read.
pub fn read(
    checkpoint: &Checkpoint,
    set: WeightSet,
    architecture: &UNetConfig,
) -> Result<StateDict, ImportError> {
    read_set(entries(architecture)?, checkpoint, set, &RUN)
}

/// Gives weights the authors' names and layouts: what their `load_state_dict` takes.
///
/// Reading them back gives the same bits.
///
/// # Errors
///
/// * [`ImportError::Architecture`] and [`ImportError::Foreign`] if they have no such network;
/// * [`ImportError::Weights`] if the weights are not the architecture's.
pub fn rename(weights: StateDict, architecture: &UNetConfig) -> Result<StateDict, ImportError> {
    Ok(entry::write(entries(architecture)?, weights)?)
}

fn entries(architecture: &UNetConfig) -> Result<Vec<Entry>, ImportError> {
    check(architecture)?;
    let plan = architecture.plan(None)?;
    Ok(plan.entries_by(|number, part: &Part, leaf: &Leaf| {
        let name = format!("all_modules.{number}.{}", place(part.place, leaf));
        let is_dense = matches!(part.place, Place::Embedding | Place::Class);
        let layout = match leaf.shape[..] {
            [i, o] if is_dense || leaf.module == "modulation" => Layout::transposed([i, o], 0),
            _ => Layout::same(&leaf.shape),
        };
        Entry::new(part, leaf, vec![name], layout)
    }))
}

/// Whether their program has such a network.
fn check(architecture: &UNetConfig) -> Result<(), ImportError> {
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
    if own.plan(None)?.stages != architecture.plan(None)?.stages {
        return lacks("such `residual_groups`");
    }
    if architecture.output == Output::StateAndNoise {
        return lacks("output `state-and-noise`");
    }
    Ok(())
}

/// Their name for a parameter, behind the number of its module.
fn place(place: Place, leaf: &Leaf) -> String {
    if let Place::Layer(_, Kind::Temporal { .. }) = place {
        return "t_conv.weights1".to_owned();
    }
    let parameter = match (leaf.module, leaf.parameter) {
        ("shortcut" | "qkv" | "projection", "weight") => "W",
        ("shortcut" | "qkv" | "projection", _) => "b",
        (_, "gamma") => "weight",
        (_, "beta") => "bias",
        (_, own) => own,
    };
    let module = match leaf.module {
        "" => return parameter.to_owned(),
        "norm_0" | "norm" => "GroupNorm_0",
        "norm_1" => "GroupNorm_1",
        "modulation" => "Dense_0",
        "conv_0" => "Conv_0",
        "conv_1" => "Conv_1",
        "shortcut" => "NIN_0",
        "qkv" => "NINs",
        "projection" => "NIN_3",
        own => own,
    };
    format!("{module}.{parameter}")
}

#[cfg(test)]
mod tests;
