//! The names and layouts of a family's weight files, which follow from the plan.

use dsno_checkpoint::{Checkpoint, KeyMapping, WeightError};

use crate::entry::{Entry, match_up, shapes_of};
use crate::layout::{Layout, QkvOrder};
use crate::parts::{Leaf, Part, Place};
use crate::plan::{BufferValue, Dialect, Kind, Names, Plan};
use crate::weights::check_filter;

impl Plan {
    /// Every parameter, under the names of the family's weight files.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        match &self.names {
            Names::Own => self.entries_by(|_, part, leaf| {
                Entry::new(part, leaf, part.name(leaf), Layout::same(&leaf.shape))
            }),
            Names::Foreign { dialect, frame } => {
                self.entries_by(|_, part, leaf| self.entry(dialect, frame, part, leaf))
            }
        }
    }

    /// Names and shapes of the weight file.
    pub(crate) fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let trained = self.entries().into_iter().flat_map(|entry| {
            let shape = entry.layout.stored().to_vec();
            entry
                .theirs
                .into_iter()
                .map(move |name| (name, shape.clone()))
        });
        let buffers = self.buffers.iter();
        trained
            .chain(buffers.map(|buffer| (buffer.name.clone(), buffer.shape.clone())))
            .collect()
    }

    /// Finds all weights in a file, which has nothing else; only a stored resampling filter is read.
    pub(crate) fn find(&self, checkpoint: &Checkpoint) -> Result<Vec<KeyMapping>, WeightError> {
        let mut entries = self.entries();
        entries.extend(self.buffers.iter().map(|buffer| Entry {
            ours: buffer.name.clone(),
            shape: buffer.shape.clone(),
            theirs: vec![buffer.name.clone()],
            layout: Layout::same(&buffer.shape),
            squeezes: false,
        }));
        let found = match_up(entries.clone(), shapes_of(checkpoint), |n| self.older(n))?;
        let filters = self.buffers.iter();
        for buffer in filters.filter(|buffer| buffer.value == BufferValue::Filter) {
            check_filter(&buffer.name, &checkpoint.read(&buffer.name)?, &self.filter)?;
        }
        let places = entries.into_iter().zip(found).flat_map(|(entry, found)| {
            let shape = entry.layout.stored().to_vec();
            let names = entry.theirs.into_iter().zip(found.theirs);
            names.map(move |(name, stored)| KeyMapping {
                name,
                shape: shape.clone(),
                stored,
            })
        });
        Ok(places.collect())
    }

    /// The name by which older files call a tensor, if it was renamed.
    pub(crate) fn older(&self, name: &str) -> Option<String> {
        let Names::Foreign { dialect, .. } = &self.names else {
            return None;
        };
        let (module, parameter) = name.rsplit_once('.')?;
        dialect.older.iter().find_map(|(present, older)| {
            let start = module.strip_suffix(present)?.strip_suffix('.')?;
            Some(format!("{start}.{older}.{parameter}"))
        })
    }

    fn entry(
        &self,
        dialect: &Dialect,
        frame: &[(&'static str, String)],
        part: &Part,
        leaf: &Leaf,
    ) -> Entry {
        let parameter = match leaf.parameter {
            "gamma" => "weight",
            "beta" => "bias",
            own => own,
        };
        let modules = if let Place::Layer(number, _) = part.place {
            let layer = &self.stages[number].name;
            let word = |module| join(layer, find(dialect.layer, module));
            match (leaf.module, part.place) {
                ("", _) => vec![layer.clone()],
                ("qkv", Place::Layer(_, kind)) if is_apart(kind) => {
                    ["q", "k", "v"].map(word).to_vec()
                }
                ("norm", Place::Layer(_, Kind::Head { .. })) => vec![word("head_norm")],
                ("conv", Place::Layer(_, Kind::Head { .. })) => vec![word("head_conv")],
                (module, _) => vec![word(module)],
            }
        } else {
            let name = frame.iter().find(|(ours, _)| *ours == part.prefix);
            let name = name.expect("invariant: a plan names the modules outside of its layers");
            vec![name.1.clone()]
        };
        let names = modules.iter().map(|m| format!("{m}.{parameter}"));
        let (layout, squeezes) = layout(dialect, part.place, leaf);
        Entry {
            theirs: names.collect(),
            squeezes,
            ..Entry::new(part, leaf, String::new(), layout)
        }
    }
}

/// How PyTorch keeps a parameter, and whether axes of length one count for nothing.
fn layout(dialect: &Dialect, place: Place, leaf: &Leaf) -> (Layout, bool) {
    let ones = dialect.attention_ones;
    let same = || (Layout::same(&leaf.shape), false);
    match (place, leaf.module, &leaf.shape[..]) {
        (Place::Layer(_, Kind::Attention { heads, order, .. }), "qkv", shape) => match *shape {
            [i, o] => (Layout::qkv([i, o], heads, order, ones), true),
            _ => (Layout::qkv_bias(shape[0], heads, order), false),
        },
        (Place::Layer(_, Kind::Attention { .. }), "projection", &[i, o]) => {
            (Layout::transposed([i, o], ones), true)
        }
        (Place::Class, ..) if !dialect.transposed_class => same(),
        // Convolutions with a kernel of one.
        (Place::Layer(..), "shortcut" | "conv", &[i, o]) => (Layout::transposed([i, o], 2), false),
        (_, _, &[i, o]) => (Layout::transposed([i, o], 0), false),
        _ => same(),
    }
}

fn is_apart(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Attention {
            order: QkvOrder::Apart,
            ..
        }
    )
}

fn join(layer: &str, word: &str) -> String {
    match word {
        "" => layer.to_owned(),
        word if word.starts_with('_') => format!("{layer}{word}"),
        word => format!("{layer}.{word}"),
    }
}

fn find(words: &[(&'static str, &'static str)], module: &str) -> &'static str {
    let word = words.iter().find(|(ours, _)| *ours == module);
    word.expect("invariant: a dialect has a word for each of its modules")
        .1
}
