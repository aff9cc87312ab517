//! The parameters of a network by name and shape, in the order in which they are used.
//!
//! They follow from the plan alone, so that files can be checked, converted and counted before a
//! network is built.

use crate::config::UNetConfig;
use crate::plan::{Kind, Plan};

/// One part of the network: a few parameters that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) place: Place,
    /// What the names of its parameters begin with, the dot not included.
    pub(crate) prefix: String,
    /// Channels and side of the maps that come out; a vector has no side.
    pub(crate) output: (usize, Option<usize>),
    pub(crate) leaves: Vec<Leaf>,
}

/// Where a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A linear map of the noise level's embedding.
    Embedding,
    /// The linear map of classes.
    Class,
    Stem,
    Layer(Kind),
    Norm,
    Head,
}

/// One parameter of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) name: &'static str,
    pub(crate) shape: Vec<usize>,
}

impl Part {
    /// Trainable numbers.
    pub(crate) fn count(&self) -> usize {
        let of = |leaf: &Leaf| leaf.shape.iter().product::<usize>();
        self.leaves.iter().map(of).sum()
    }

    /// The full name of a parameter.
    pub(crate) fn name(&self, leaf: &Leaf) -> String {
        format!("{}.{}", self.prefix, leaf.name)
    }
}

impl Plan {
    /// All parts: the embedding, the stem, every layer, the last normalisation and the head.
    pub(crate) fn parts(&self, arch: &UNetConfig) -> Vec<Part> {
        let (base, e) = (arch.base_channels, arch.embedding_channels);
        let part = |place, prefix: &str, output, leaves| Part {
            place,
            prefix: prefix.to_owned(),
            output,
            leaves,
        };
        let dense = |place, prefix, i| {
            let leaves = linear("weight", "bias", i, e);
            part(place, prefix, (e, None), leaves)
        };
        let mut parts = vec![
            dense(Place::Embedding, "embedding.dense_0", base),
            dense(Place::Embedding, "embedding.dense_1", e),
        ];
        if arch.classes > 0 {
            parts.push(dense(Place::Class, "embedding.class", arch.classes));
        }
        let size = Some(arch.image_size);
        let stem = convolution("weight", "bias", arch.image_channels, base);
        parts.push(part(Place::Stem, "stem", (base, size), stem));
        parts.extend(self.stages.iter().enumerate().map(|(n, stage)| Part {
            place: Place::Layer(stage.kind),
            prefix: format!("layers.{n}"),
            output: (stage.kind.channels_out(), Some(stage.size)),
            leaves: leaves(stage.kind, e),
        }));
        let last = self.last_channels;
        let leaves = norm("gamma", "beta", last);
        parts.push(part(Place::Norm, "norm", (last, size), leaves));
        let channels = arch.head_channels();
        let head = convolution("weight", "bias", last, channels);
        parts.push(part(Place::Head, "head", (channels, size), head));
        parts
    }
}

fn leaves(kind: Kind, embedding: usize) -> Vec<Leaf> {
    match kind {
        Kind::Residual {
            channels_in: i,
            channels_out: o,
            ..
        } => {
            let mut leaves = norm("norm_0.gamma", "norm_0.beta", i);
            leaves.extend(convolution("conv_0.weight", "conv_0.bias", i, o));
            leaves.extend(linear(
                "modulation.weight",
                "modulation.bias",
                embedding,
                2 * o,
            ));
            leaves.extend(norm("norm_1.gamma", "norm_1.beta", o));
            leaves.extend(convolution("conv_1.weight", "conv_1.bias", o, o));
            if i != o {
                leaves.extend(linear("shortcut.weight", "shortcut.bias", i, o));
            }
            leaves
        }
        Kind::Attention { channels: c, .. } => {
            let mut leaves = norm("norm.gamma", "norm.beta", c);
            leaves.extend(linear("qkv.weight", "qkv.bias", c, 3 * c));
            leaves.extend(linear("projection.weight", "projection.bias", c, c));
            leaves
        }
        Kind::Temporal {
            channels: c,
            n_modes,
        } => vec![Leaf {
            name: "weight",
            shape: vec![c, c, n_modes, 2],
        }],
    }
}

fn pair(names: [&'static str; 2], shapes: [Vec<usize>; 2]) -> Vec<Leaf> {
    let leaf = |(name, shape)| Leaf { name, shape };
    names.into_iter().zip(shapes).map(leaf).collect()
}

fn linear(weight: &'static str, bias: &'static str, i: usize, o: usize) -> Vec<Leaf> {
    pair([weight, bias], [vec![i, o], vec![o]])
}

fn convolution(weight: &'static str, bias: &'static str, i: usize, o: usize) -> Vec<Leaf> {
    pair([weight, bias], [vec![o, i, 3, 3], vec![o]])
}

fn norm(gamma: &'static str, beta: &'static str, channels: usize) -> Vec<Leaf> {
    pair([gamma, beta], [vec![channels], vec![channels]])
}

#[cfg(test)]
mod tests;
