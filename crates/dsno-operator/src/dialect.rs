//! The names and layouts of a family's weight files, which follow from the plan.

use dsno_checkpoint::{Checkpoint, KeyMapping, WeightError};

use crate::entry::{Entry, match_up, shapes_of};
use crate::layout::{Layout, QkvOrder};
use crate::parts::{Leaf, Part, Place};
use crate::plan::{Dialect, Kind, Names, Plan};

impl Plan {
    /// Every parameter, under the names of the family's weight files.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        match &self.names {
            Names::Own => self.entries_by(|_, part, leaf| {
                let name = vec![part.name(leaf)];
                Entry::new(part, leaf, name, Layout::same(&leaf.shape))
            }),
            Names::Foreign { dialect, frame } => {
                self.entries_by(|_, part, leaf| self.entry(dialect, frame, part, leaf))
            }
        }
    }

    /// Names and shapes of the weight file.
    pub(crate) fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let entries = self.entries().into_iter().chain(self.buffer_entries());
        let named = entries.flat_map(|entry| {
            let shape = entry.layout.stored().to_vec();
            let names = entry.theirs.into_iter();
            names.map(move |name| (name, shape.clone()))
        });
        named.collect()
    }

    /// Every tensor of the weight file that is not trained.
    pub(crate) fn buffer_entries(&self) -> impl Iterator<Item = Entry> {
        self.buffers.iter().map(|buffer| Entry {
            ours: buffer.name.clone(),
            shape: buffer.shape.clone(),
            theirs: vec![buffer.name.clone()],
            layout: Layout::same(&buffer.shape),
            squeezes: false,
        })
    }

    /// Finds all weights in a file, which has nothing else; only a stored resampling filter is read.
    pub(crate) fn find(&self, checkpoint: &Checkpoint) -> Result<Vec<KeyMapping>, WeightError> {
        let mut entries = self.entries();
        entries.extend(self.buffer_entries());
        let found = match_up(entries.clone(), shapes_of(checkpoint), |n| self.older(n))?;
        self.check_filters(|name| Ok(checkpoint.read(name)?))?;
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
            let word = |module| join(layer, find::<&str>(dialect.layer, module));
            match (leaf.module, part.place) {
                ("", _) => vec![layer.clone()],
                ("qkv", Place::Layer(_, Kind::Attention(shape)))
                    if shape.order == QkvOrder::Apart =>
                {
                    ["q", "k", "v"].map(word).to_vec()
                }
                ("norm", Place::Layer(_, Kind::Head { .. })) => vec![word("head_norm")],
                ("conv", Place::Layer(_, Kind::Head { .. })) => vec![word("head_conv")],
                (module, _) => vec![word(module)],
            }
        } else {
            vec![find(frame, &part.prefix).clone()]
        };
        let names = modules.iter().map(|m| format!("{m}.{parameter}"));
        let (layout, squeezes) = layout(dialect, part.place, leaf);
        Entry {
            squeezes,
            ..Entry::new(part, leaf, names.collect(), layout)
        }
    }
}

/// How PyTorch keeps a parameter, and whether axes of length one count for nothing.
fn layout(dialect: &Dialect, place: Place, leaf: &Leaf) -> (Layout, bool) {
    let ones = dialect.attention_ones;
    let same = || (Layout::same(&leaf.shape), false);
    match (place, leaf.module, &leaf.shape[..]) {
        (Place::Layer(_, Kind::Attention(of)), "qkv", shape) => match *shape {
            [i, o] => (Layout::qkv([i, o], of.heads, of.order, ones), true),
            _ => (Layout::qkv_bias(shape[0], of.heads, of.order), false),
        },
        (_, "projection", &[i, o]) => (Layout::transposed([i, o], ones), true),
        (Place::Class, ..) if !dialect.transposed_class => same(),
        // Convolutions with a kernel of one.
        (Place::Layer(..), "shortcut" | "conv", &[i, o]) => (Layout::transposed([i, o], 2), false),
        (_, _, &[i, o]) => (Layout::transposed([i, o], 0), false),
        _ => same(),
    }
}

fn join(layer: &str, word: &str) -> String {
    match word {
        "" => layer.to_owned(),
        word if word.starts_with('_') => format!("{layer}{word}"),
        word => format!("{layer}.{word}"),
    }
}

/// Another program's word for a module of ours.
pub(crate) fn find<'a, T>(words: &'a [(&'static str, T)], module: &str) -> &'a T {
    let word = words.iter().find(|(ours, _)| *ours == module);
    let (_, theirs) = word.expect("invariant: there is a word for every module");
    theirs
}
