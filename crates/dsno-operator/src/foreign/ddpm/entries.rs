//! The names and shapes of a weight file, which follow from the layout.

use super::attention::HeadOrder;
use super::blueprint::{Blueprint, ClassInput, Dialect, Kind};

/// One tensor of a weight file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path of the parameter in our module.
    pub(crate) ours: String,
    /// Its name in the file.
    pub(crate) theirs: String,
    pub(crate) shape: Vec<usize>,
}

impl Entry {
    /// Whether a tensor of this shape is the one that is meant.
    ///
    /// A map of channels is the same as a matrix, as a convolution over a sequence (guided-diffusion)
    /// and as one over an image (consistency models).
    pub(crate) fn accepts(&self, shape: &[usize]) -> bool {
        let is_map = self.ours.contains(".projections.") && self.ours.ends_with(".weight");
        shape == self.shape || (is_map && shape.len() >= 2 && matrix(shape) == matrix(&self.shape))
    }
}

/// A shape without axes of length one behind the second.
fn matrix(shape: &[usize]) -> &[usize] {
    let behind = shape.iter().skip(2).rposition(|&length| length != 1);
    &shape[..behind.map_or(2, |last| last + 3)]
}

impl Blueprint {
    /// Every tensor of the weight file, in building order.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let (width, e) = (self.sinusoids.width, self.embedding);
        let [first, last] = self.ends;
        let mut list = List {
            dialect: self.dialect,
            entries: Vec::new(),
        };
        list.frame("embedding.time_0", vec![e, width]);
        list.frame("embedding.time_1", vec![e, e]);
        match self.class {
            ClassInput::None | ClassInput::Vectors => {}
            ClassInput::Table { classes } => {
                let name = find(self.dialect.frame, "embedding.class_table");
                let ours = "embedding.class_table.weight".to_owned();
                list.push(ours, format!("{name}.weight"), vec![classes, e]);
            }
            ClassInput::Numbers => {
                list.frame("embedding.class_map.class_0", vec![e, width]);
                list.frame("embedding.class_map.class_1", vec![e, e]);
            }
        }
        list.frame("stem", vec![first, self.image_channels, 3, 3]);
        for (i, stage) in self.stages.iter().enumerate() {
            for (module, shape) in self.modules(stage.kind) {
                list.layer(i, &stage.name, module, shape);
            }
        }
        list.frame("norm", vec![last]);
        list.frame("head", vec![self.out_channels, last, 3, 3]);
        list.entries
    }

    /// Number of trainable numbers.
    pub(crate) fn parameters(&self) -> usize {
        let entries = self.entries().into_iter();
        entries.map(|e| e.shape.iter().product::<usize>()).sum()
    }

    /// Names and shapes of the weight file.
    pub(crate) fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let entries = self.entries().into_iter();
        entries.map(|entry| (entry.theirs, entry.shape)).collect()
    }

    /// Modules of a layer, each with the shape of its weight.
    fn modules(&self, kind: Kind) -> Vec<(&'static str, Vec<usize>)> {
        match kind {
            Kind::Residual {
                channels: [i, o], ..
            } => {
                let time = if self.scale_shift { 2 * o } else { o };
                let mut modules = vec![
                    ("norm_0", vec![i]),
                    ("conv_0", vec![o, i, 3, 3]),
                    ("time", vec![time, self.embedding]),
                    ("norm_1", vec![o]),
                    ("conv_1", vec![o, o, 3, 3]),
                ];
                modules.extend((i != o).then(|| ("shortcut", vec![o, i, 1, 1])));
                modules
            }
            Kind::Attention {
                channels: c,
                order,
                groups,
                ..
            } => {
                let mut modules = Vec::from_iter(groups.map(|_| ("norm", vec![c])));
                modules.extend(match order {
                    HeadOrder::Separate => [
                        "projections.q",
                        "projections.k",
                        "projections.v",
                        "projections.out",
                    ]
                    .map(|name| (name, vec![c, c]))
                    .to_vec(),
                    HeadOrder::Joint | HeadOrder::Interleaved => vec![
                        ("projections.qkv", vec![3 * c, c, 1]),
                        ("projections.out", vec![c, c, 1]),
                    ],
                });
                modules
            }
            Kind::Halve {
                channels: c,
                padding,
            } => Vec::from_iter(padding.map(|_| ("conv", vec![c, c, 3, 3]))),
            Kind::Double { channels: c, conv } => {
                Vec::from_iter(conv.then(|| ("conv", vec![c, c, 3, 3])))
            }
        }
    }
}

struct List {
    dialect: &'static Dialect,
    entries: Vec<Entry>,
}

impl List {
    fn push(&mut self, ours: String, theirs: String, shape: Vec<usize>) {
        self.entries.push(Entry {
            ours,
            theirs,
            shape,
        });
    }

    /// A module's weight, and its bias, as long as the weight's first axis.
    fn module(&mut self, ours: &str, theirs: &str, shape: Vec<usize>) {
        let bias = vec![shape[0]];
        self.push(format!("{ours}.weight"), format!("{theirs}.weight"), shape);
        self.push(format!("{ours}.bias"), format!("{theirs}.bias"), bias);
    }

    fn frame(&mut self, module: &str, shape: Vec<usize>) {
        self.module(module, find(self.dialect.frame, module), shape);
    }

    fn layer(&mut self, number: usize, name: &str, module: &str, shape: Vec<usize>) {
        let theirs = match find(self.dialect.layer, module) {
            "" => name.to_owned(),
            word => format!("{name}.{word}"),
        };
        self.module(&format!("layers.{number}.{module}"), &theirs, shape);
    }
}

fn find(words: &[(&'static str, &'static str)], module: &str) -> &'static str {
    let word = words.iter().find(|(ours, _)| *ours == module);
    word.expect("invariant: a dialect has a word for each of its modules")
        .1
}
