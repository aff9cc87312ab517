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

use super::ImportError;
use super::mapping::{self, Entry, Layout};
use crate::config::UNetConfig;
use crate::parts::{Leaf, Part, Place};
use crate::plan::{Kind, Resample};
use dsno_checkpoint::Checkpoint;
use dsno_checkpoint::{StateDict, WeightError};

/// Groups of all their normalisations.
const GROUPS: usize = 32;
/// What a training state holds beside the averaged parameters.
const IGNORED_KEYS: [&str; 4] = ["ema_params/", "optimizer/", "step", "num_sample_steps"];

/// Which of the weights of a training state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParameterSet {
    /// The moving average, with which they sample and distil (`ema_params`).
    #[default]
    Average,
    /// The parameters of the last step (`optimizer/target`).
    Latest,
}

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
/// * [`ImportError::UNetConfig`] if the network cannot be built, [`ImportError::Foreign`] if they
///   have no such network;
/// * [`ImportError::NoSuchSet`] if the file is a training state without `set`;
/// * [`ImportError::Weights`] with every name or shape that differs;
/// * [`ImportError::Checkpoint`] if a tensor cannot be read.
pub fn read(
    checkpoint: &Checkpoint,
    set: ParameterSet,
    architecture: &UNetConfig,
) -> Result<StateDict, ImportError> {
    check(architecture)?;
    let names = modules(architecture)?;
    let place = |number: usize, part: &Part, leaf: &Leaf| entry(&names[number], part, leaf);
    let entries = architecture.entries(place)?;
    mapping::read(entries, &parameters(checkpoint, set)?, true)
}

/// The parameters alone, without what they lie under.
fn parameters(checkpoint: &Checkpoint, set: ParameterSet) -> Result<Checkpoint, ImportError> {
    let has = |prefix: &str| checkpoint.names().any(|name| name.starts_with(prefix));
    let state = has("ema_params/") || has("optimizer/");
    let prefix = match set {
        ParameterSet::Average => "ema_params/",
        ParameterSet::Latest => "optimizer/target/",
    };
    let inside = if !state {
        checkpoint.clone()
    } else if has(prefix) {
        let stray: Vec<String> = checkpoint
            .names()
            .filter(|name| !IGNORED_KEYS.iter().any(|known| name.starts_with(known)))
            .map(str::to_owned)
            .collect();
        if !stray.is_empty() {
            return Err(ImportError::Weights(WeightError::Mismatch {
                missing: vec![],
                unexpected: stray,
                misshapen: vec![],
            }));
        }
        checkpoint.sub_dict(prefix)
    } else {
        let mut found: Vec<String> = checkpoint
            .names()
            .map(|name| name.split('/').next().unwrap_or(name).to_owned())
            .collect();
        found.dedup();
        return Err(ImportError::NoSuchSet {
            asked: prefix,
            found,
        });
    };
    let wrapped = !inside.is_empty() && inside.names().all(|name| name.starts_with("params/"));
    Ok(if wrapped {
        inside.sub_dict("params/")
    } else {
        inside
    })
}

fn check(architecture: &UNetConfig) -> Result<(), ImportError> {
    use crate::config::Output;
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
    if network(architecture).plan()?.stages != architecture.plan()?.stages
        || architecture.attention_groups != GROUPS
    {
        return lacks("groups other than 32");
    }
    Ok(())
}

/// Their name for each part, in order.
fn modules(architecture: &UNetConfig) -> Result<Vec<String>, ImportError> {
    let parts = architecture.plan()?.parts(architecture);
    let levels = architecture.channel_multipliers.len();
    let mut walk = Walk {
        way: Way::Down,
        level: 0,
        block: 0,
        blocks: architecture.res_blocks,
        last: levels - 1,
    };
    let name = |part: &Part| match (part.place, part.prefix.as_str()) {
        (Place::Embedding, "embedding.dense_0") => "dense0".to_owned(),
        (Place::Embedding, _) => "dense1".to_owned(),
        (Place::Class, _) => "class_emb".to_owned(),
        (Place::Stem, _) => "conv_in".to_owned(),
        (Place::Layer(kind), _) => walk.next(kind),
        (Place::Norm, _) => "norm_out".to_owned(),
        (Place::Head, _) => "conv_out".to_owned(),
    };
    Ok(parts.iter().map(name).collect())
}

/// Where a walk through the layers is.
struct Walk {
    way: Way,
    level: usize,
    /// Residual blocks passed on this level, or in the middle.
    block: usize,
    /// Residual blocks of a level on the way down.
    blocks: usize,
    last: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Middle,
    Up,
}

impl Walk {
    /// Their name for the next layer.
    fn next(&mut self, kind: Kind) -> String {
        let Kind::Residual { resample, .. } = kind else {
            let newest = self.block - 1;
            return match self.way {
                Way::Down => format!("down_{}.attn_{newest}", self.level),
                Way::Middle => format!("mid.attn_{}", newest + 1),
                Way::Up => format!("up_{}.attn_{newest}", self.level),
            };
        };
        match resample {
            Resample::Halve => {
                let name = format!("down_{}.downsample", self.level);
                (self.level, self.block) = (self.level + 1, 0);
                name
            }
            Resample::Double => {
                let name = format!("up_{}.upsample", self.level);
                (self.level, self.block) = (self.level - 1, 0);
                name
            }
            Resample::Keep => {
                if self.way == Way::Down && self.level == self.last && self.block == self.blocks {
                    (self.way, self.block) = (Way::Middle, 0);
                } else if self.way == Way::Middle && self.block == 2 {
                    (self.way, self.block) = (Way::Up, 0);
                }
                self.block += 1;
                match self.way {
                    Way::Down => format!("down_{}.block_{}", self.level, self.block - 1),
                    Way::Middle => format!("mid.block_{}", self.block),
                    Way::Up => format!("up_{}.block_{}", self.level, self.block - 1),
                }
            }
        }
    }
}

/// Where a parameter lies in the module of its part.
fn entry(module: &str, part: &Part, leaf: &Leaf) -> Entry {
    use Layout::{ChannelsLast, HeadsApart, HeadsFirst, Same};
    let heads = match part.place {
        Place::Layer(Kind::Attention { heads, .. }) => heads,
        _ => 1,
    };
    let convolution = matches!(part.place, Place::Stem | Place::Head);
    let (name, layout) = match leaf.name {
        "gamma" => ("scale", Same),
        "beta" => ("bias", Same),
        "weight" if convolution => ("kernel", ChannelsLast),
        "weight" => ("kernel", Same),
        "norm_0.gamma" => ("norm1/scale", Same),
        "norm_0.beta" => ("norm1/bias", Same),
        "norm_1.gamma" => ("norm2/scale", Same),
        "norm_1.beta" => ("norm2/bias", Same),
        "norm.gamma" => ("norm/scale", Same),
        "norm.beta" => ("norm/bias", Same),
        "conv_0.weight" => ("conv1/kernel", ChannelsLast),
        "conv_0.bias" => ("conv1/bias", Same),
        "conv_1.weight" => ("conv2/kernel", ChannelsLast),
        "conv_1.bias" => ("conv2/bias", Same),
        "modulation.weight" => ("temb_proj/kernel", Same),
        "modulation.bias" => ("temb_proj/bias", Same),
        "shortcut.weight" => ("nin_shortcut/kernel", Same),
        "shortcut.bias" => ("nin_shortcut/bias", Same),
        "projection.weight" => ("proj_out/kernel", HeadsFirst { heads }),
        "projection.bias" => ("proj_out/bias", Same),
        "qkv.weight" => ("kernel", HeadsApart { heads }),
        "qkv.bias" => ("bias", HeadsApart { heads }),
        own => (own, Same),
    };
    let mut entry = Entry::new(part, leaf, format!("{module}/{name}"), layout);
    if let HeadsApart { .. } = layout {
        entry.theirs = ["q", "k", "v"]
            .map(|part| format!("{module}/{part}/{name}"))
            .into();
    }
    entry
}

#[cfg(test)]
mod tests;
