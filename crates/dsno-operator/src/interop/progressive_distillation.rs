//! The Flax checkpoints of progressive distillation (Salimans & Ho 2022, arXiv:2202.00512).
//!
//! `cifar_original`, `imagenet_16` and the other published files are training states: `ema_params`
//! beside `optimizer` (whose `target` holds the parameters of the last step), `step` and
//! `num_sample_steps`. Modules have names, with dots in them:
//!
//! | part                        | their name                                               |
//! |-----------------------------|----------------------------------------------------------|
//! | embedding                   | `dense0`, `dense1`, `class_emb`                          |
//! | stem                        | `conv_in`                                                |
//! | way down, level `l`         | `down_l.block_b`, `down_l.attn_b`, `down_l.downsample`   |
//! | middle                      | `mid.block_1`, `mid.attn_1`, `mid.block_2`               |
//! | way up, level `l`           | `up_l.block_b`, `up_l.attn_b`, `up_l.upsample`           |
//! | last normalisation and head | `norm_out`, `conv_out`                                   |
//!
//! | parameter                   | their name, below the module   | their layout               |
//! |-----------------------------|--------------------------------|----------------------------|
//! | normalisations              | `scale`, `bias` of `norm1`, `norm2`, `norm` | as ours       |
//! | convolutions                | `kernel`, `bias` of `conv1`, `conv2` | `[3, 3, in, out]`    |
//! | linear maps                 | `kernel`, `bias` of `temb_proj`, `nin_shortcut` | as ours   |
//! | attention's projections     | `kernel`, `bias` of `q`, `k`, `v` | `[in, heads, d]`        |
//! | attention's result          | `kernel`, `bias` of `proj_out` | `[heads, d, out]`          |
//!
//! Ours has one projection for queries, keys and values that lie head by head, `[q | k | v]` within
//! a head, so theirs are interleaved. (The DSNO authors' import puts all heads' queries first, which
//! is the same for one head and another network for several.) Axes of length one are ignored, since
//! older versions of Flax kept some.
//!
//! All their normalisations have 32 groups; [`network`] sets that. Networks that predict image and
//! noise side by side (`mean_type` `both`) have [`Output::StateAndNoise`](crate::Output).

use dsno_checkpoint::{Checkpoint, StateDict};

use super::{ImportError, RunLayout, WeightSet, read_set};
use crate::entry::Entry;
use crate::family::unet::{Output, UNetConfig};
use crate::layout::Layout;
use crate::parts::{Leaf, Part, Place};
use crate::plan::{AttentionShape, Kind, Plan};

/// Groups of all their normalisations.
const GROUPS: usize = 32;
/// Their training states.
const RUN: RunLayout = RunLayout {
    prefixes: ["ema_params/", "optimizer/target/"],
    marks: ["ema_params/", "optimizer/"],
    ignored: &["ema_params/", "optimizer/", "step", "num_sample_steps"],
    wrapper: "params/",
    separator: '/',
};

/// The same network with the groups that all of theirs have.
pub fn network(architecture: &UNetConfig) -> UNetConfig {
    UNetConfig {
        attention_groups: GROUPS,
        residual_groups: Some(GROUPS),
        ..architecture.clone()
    }
}

/// Reads the weights of a network without temporal convolutions.
///
/// The file is a training state, of which `set` is read, or holds just the parameters, at the top or
/// under `params`.
///
/// # Errors
///
/// * [`ImportError::Architecture`] if the network cannot be built, [`ImportError::Foreign`] if they
///   have no such network;
/// * [`ImportError::NoSuchSet`] if the file is a training state without `set`;
/// * [`ImportError::Weights`] with every name or shape that differs;
/// * [`ImportError::Checkpoint`] if a tensor cannot be read.
pub fn read(
    checkpoint: &Checkpoint,
    set: WeightSet,
    architecture: &UNetConfig,
) -> Result<StateDict, ImportError> {
    check(architecture)?;
    read_set(entries(architecture)?, checkpoint, set, &RUN)
}

fn entries(architecture: &UNetConfig) -> Result<Vec<Entry>, ImportError> {
    let plan = architecture.plan(None)?;
    let names = modules(&plan);
    let place = |number: usize, part: &Part, leaf: &Leaf| entry(&names[number], part, leaf);
    Ok(plan.entries_by(place))
}

fn check(architecture: &UNetConfig) -> Result<(), ImportError> {
    let lacks = |what| {
        Err(ImportError::Foreign {
            program: "progressive distillation",
            what,
        })
    };
    if architecture.temporal.is_some() {
        return lacks("temporal convolutions");
    }
    if architecture.output == Output::NoiseMinusState {
        return lacks("output `noise-minus-state`");
    }
    if network(architecture).plan(None)?.stages != architecture.plan(None)?.stages
        || architecture.attention_groups != GROUPS
    {
        return lacks("groups other than 32");
    }
    Ok(())
}

/// Their name for each part, in order.
fn modules(plan: &Plan) -> Vec<String> {
    let name = |part: &Part| match (part.place, part.prefix.as_str()) {
        (Place::Embedding, "embedding.dense_0") => "dense0".to_owned(),
        (Place::Embedding, _) => "dense1".to_owned(),
        (Place::Class, _) => "class_emb".to_owned(),
        (Place::Stem, _) => "conv_in".to_owned(),
        (Place::Layer(number, _), _) => plan.stages[number].name.clone(),
        (Place::Norm, _) => "norm_out".to_owned(),
        (Place::Head, _) => "conv_out".to_owned(),
    };
    plan.parts().iter().map(name).collect()
}

/// Where a parameter lies in the module of its part.
fn entry(module: &str, part: &Part, leaf: &Leaf) -> Entry {
    let heads = match part.place {
        Place::Layer(_, Kind::Attention(AttentionShape { heads, .. })) => heads,
        _ => 1,
    };
    let parameter = match leaf.parameter {
        "gamma" => "scale",
        "beta" => "bias",
        "weight" => "kernel",
        own => own,
    };
    let layout = match (leaf.module, &leaf.shape[..]) {
        ("qkv", shape) => Layout::qkv_of_flax(shape, heads),
        ("projection", &[i, o]) => Layout::reshaped(&leaf.shape, vec![heads, i / heads, o]),
        (_, &[o, i, h, w]) => Layout::channels_last([o, i, h, w]),
        (_, shape) => Layout::same(shape),
    };
    let own = [leaf.module];
    let names: &[&str] = match leaf.module {
        "norm_0" => &["norm1"],
        "norm_1" => &["norm2"],
        "conv_0" => &["conv1"],
        "conv_1" => &["conv2"],
        "modulation" => &["temb_proj"],
        "shortcut" => &["nin_shortcut"],
        "projection" => &["proj_out"],
        "qkv" => &["q", "k", "v"],
        _ => &own,
    };
    let theirs = names.iter().map(|&name| match name {
        "" => format!("{module}/{parameter}"),
        name => format!("{module}/{name}/{parameter}"),
    });
    Entry {
        squeezes: true,
        ..Entry::new(part, leaf, theirs.collect(), layout)
    }
}

#[cfg(test)]
mod tests;
