//! The parameters of a network by name and shape, in the order in which they are used.
//!
//! They follow from the plan alone, so that files can be checked, converted and counted before a
//! network is built.

use crate::plan::{AttentionShape, ClassInput, Kind, Plan, ResidualShape, SideShape};

/// One part of the network: a few parameters that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) place: Place,
    /// What the names of its parameters begin with, the dot not included.
    pub(crate) prefix: String,
    /// Channels and side of the maps that come out; a vector has no side.
    pub(crate) output: (usize, Option<usize>),
    pub(crate) leaves: Vec<Leaf>,
}

/// Where a part is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// A linear map of the timestep's embedding.
    Embedding,
    /// A map of classes or of augmentation labels.
    Class,
    Stem,
    /// The stage with this number.
    Layer(usize, Kind),
    Norm,
    Head,
}

/// One parameter of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The module inside the part, with a dot behind it, or nothing.
    pub(crate) module: &'static str,
    /// The parameter of the module.
    pub(crate) parameter: &'static str,
    pub(crate) shape: Vec<usize>,
}

impl Part {
    /// Number of trainable parameters.
    pub(crate) fn count(&self) -> usize {
        let of = |leaf: &Leaf| leaf.shape.iter().product::<usize>();
        self.leaves.iter().map(of).sum()
    }

    /// The full name of a parameter: its path in the network's module.
    pub(crate) fn name(&self, leaf: &Leaf) -> String {
        let (module, parameter) = (leaf.module, leaf.parameter);
        let dot = if module.is_empty() { "" } else { "." };
        format!("{}.{module}{dot}{parameter}", self.prefix)
    }
}

impl Plan {
    /// All parts: the embedding, the stem, every layer, the last normalisation and the head.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let e = self.embedding.channels;
        let width = self.embedding.width;
        let part = |place, prefix: &str, output, leaves| Part {
            place,
            prefix: prefix.to_owned(),
            output,
            leaves,
        };
        let linear_part = |place, prefix, i, o, bias| {
            let mut leaves = linear("", i, o);
            leaves.truncate(if bias { 2 } else { 1 });
            part(place, prefix, (o, None), leaves)
        };
        let dense = |prefix, i| linear_part(Place::Embedding, prefix, i, e, true);
        let mut parts = vec![
            dense("embedding.dense_0", width),
            dense("embedding.dense_1", e),
        ];
        match self.embedding.class {
            ClassInput::OneHot {
                classes,
                bias,
                to_features,
                ..
            } => {
                let o = if to_features { width } else { e };
                let class = linear_part(Place::Class, "embedding.class", classes, o, bias);
                parts.push(class);
            }
            ClassInput::Numbers => parts.extend([
                dense("embedding.class_0", width),
                dense("embedding.class_1", e),
            ]),
            ClassInput::None | ClassInput::Vectors => {}
        }
        if self.embedding.augment > 0 {
            let (place, i) = (Place::Class, self.embedding.augment);
            parts.push(linear_part(place, "embedding.augment", i, width, false));
        }
        let [image, size, _] = self.image_shape;
        let (size, stem) = (Some(size), self.stem_channels);
        parts.push(part(
            Place::Stem,
            "stem",
            (stem, size),
            conv("", image, stem),
        ));
        parts.extend(self.stages.iter().enumerate().map(|(n, stage)| Part {
            place: Place::Layer(n, stage.kind),
            prefix: format!("layers.{n}"),
            output: (stage.kind.channels_out(), Some(stage.size)),
            leaves: self.leaves(stage.kind),
        }));
        let (last, out) = (self.head.channels, self.head.channels_out);
        parts.push(part(Place::Norm, "norm", (last, size), norm("", last)));
        parts.push(part(Place::Head, "head", (out, size), conv("", last, out)));
        parts
    }

    /// Number of trainable parameters.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parts().iter().map(Part::count).sum()
    }

    fn leaves(&self, kind: Kind) -> Vec<Leaf> {
        match kind {
            Kind::Residual(ResidualShape {
                channels: [i, o],
                shortcut,
                ..
            }) => {
                let modulation = if self.scale_shift { 2 * o } else { o };
                let mut leaves = [
                    norm("norm_0", i),
                    conv("conv_0", i, o),
                    linear("modulation", self.embedding.channels, modulation),
                    norm("norm_1", o),
                    conv("conv_1", o, o),
                ]
                .concat();
                if shortcut {
                    leaves.extend(linear("shortcut", i, o));
                }
                leaves
            }
            Kind::Attention(AttentionShape {
                channels: c,
                groups,
                ..
            }) => {
                let norm = groups.map_or_else(Vec::new, |_| norm("norm", c));
                [norm, linear("qkv", c, 3 * c), linear("projection", c, c)].concat()
            }
            Kind::Temporal {
                channels: c,
                n_modes,
            } => vec![Leaf {
                module: "",
                parameter: "weight",
                shape: vec![c, c, n_modes, 2],
            }],
            Kind::Resampler {
                channels: c,
                conv: of,
                ..
            } => of.map_or_else(Vec::new, |_| conv("conv", c, c)),
            Kind::Side(SideShape {
                channels: [i, o],
                kernel,
                ..
            }) => match kernel {
                0 => Vec::new(),
                1 => linear("conv", i, o),
                _ => conv("conv", i, o),
            },
            Kind::Head {
                channels: [i, o], ..
            } => [norm("norm", i), conv("conv", i, o)].concat(),
        }
    }
}

fn pair(module: &'static str, names: [&'static str; 2], shapes: [Vec<usize>; 2]) -> Vec<Leaf> {
    let leaf = |(parameter, shape)| Leaf {
        module,
        parameter,
        shape,
    };
    names.into_iter().zip(shapes).map(leaf).collect()
}

fn linear(module: &'static str, i: usize, o: usize) -> Vec<Leaf> {
    pair(module, ["weight", "bias"], [vec![i, o], vec![o]])
}

fn conv(module: &'static str, i: usize, o: usize) -> Vec<Leaf> {
    pair(module, ["weight", "bias"], [vec![o, i, 3, 3], vec![o]])
}

fn norm(module: &'static str, channels: usize) -> Vec<Leaf> {
    pair(module, ["gamma", "beta"], [vec![channels], vec![channels]])
}

#[cfg(test)]
mod tests;
