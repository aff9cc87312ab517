//! Where in a file the weights of a network lie: at the top, or below what others have put before them.
//!
//! A training saves `{"state_dict": …, "optimizer": …}` or `{"model": …, "ema": …}`, distributed training
//! puts `module.` before every name, Lightning `model.`. The names of the network itself tell where they are.

use std::collections::{BTreeMap, BTreeSet};

use dsno_checkpoint::Checkpoint;
use dsno_operator::interop::WeightSet;

use crate::failure::Failure;

/// What the weights of a file begin with, and all else in it.
#[derive(Debug, PartialEq)]
pub(super) struct Prefix {
    /// Up to and with a separator; empty at the top.
    pub(super) prefix: String,
    /// First segments of other names, and how many tensors each has.
    pub(super) others: Vec<(String, usize)>,
}

/// All prefixes below which the names of a network lie, those of an optimiser left out.
///
/// `own` are names of the network, of which at least half must be there.
pub(super) fn prefixes(file: &Checkpoint, own: &[String]) -> BTreeSet<String> {
    let names: BTreeSet<&str> = file.names().collect();
    let before = |name: &str| -> Option<String> {
        let mut anchors = own.iter().take(3);
        let prefix = anchors.find_map(|own| name.strip_suffix(own.as_str()))?;
        (prefix.is_empty() || prefix.ends_with(['.', '/'])).then(|| prefix.to_owned())
    };
    let candidates: BTreeSet<String> = names.iter().filter_map(|name| before(name)).collect();
    let holds = |prefix: &String| {
        let there = own
            .iter()
            .filter(|own| names.contains(&*format!("{prefix}{own}")));
        2 * there.count() >= own.len()
    };
    let kept = candidates
        .into_iter()
        .filter(|prefix| !is_optimiser(prefix));
    kept.filter(holds).collect()
}

/// Chooses the prefix of the set that is wanted: the average, unless the user says `model`.
///
/// # Errors
///
/// A usage failure if several could be meant, or the set that was asked for is not there.
pub(super) fn choose(
    file: &Checkpoint,
    found: &BTreeSet<String>,
    set: Option<WeightSet>,
) -> Result<Prefix, Failure> {
    let place = file.path().display();
    let (averages, others): (Vec<&String>, Vec<&String>) =
        found.iter().partition(|prefix| is_average(prefix));
    let wanted = set.unwrap_or_default();
    let prefix = match (wanted, &averages[..], &others[..]) {
        _ if found.contains("") => "",
        (WeightSet::Ema, [only], _)
        | (WeightSet::Ema, [], [only])
        | (WeightSet::Model, _, [only]) => only,
        (WeightSet::Model, [only], []) => {
            return Err(Failure::usage(format!(
                "{place} has no weights of the last step, only averages under `{only}`"
            )));
        }
        _ => {
            let all: Vec<&str> = found.iter().take(4).map(String::as_str).collect();
            return Err(Failure::usage(format!(
                "{place} holds {} networks of this kind (under `{}`); save one of them alone",
                found.len(),
                all.join("`, `")
            )));
        }
    };
    let mut others = BTreeMap::new();
    for name in file.names().filter(|name| !name.starts_with(prefix)) {
        let first = name.split_inclusive(['.', '/']).next().unwrap_or(name);
        *others.entry(first.to_owned()).or_insert(0) += 1;
    }
    Ok(Prefix {
        prefix: prefix.to_owned(),
        others: others.into_iter().collect(),
    })
}

impl Prefix {
    /// What a user should be told, if the weights do not lie at the top.
    pub(super) fn notice(&self) -> Option<String> {
        let Self { prefix, others } = self;
        if prefix.is_empty() {
            return None;
        }
        if others.is_empty() {
            return Some(format!(
                "all names begin with `{prefix}`, which is taken off"
            ));
        }
        let mut shown: Vec<String> = others
            .iter()
            .take(6)
            .map(|(first, count)| format!("`{first}` ({count})"))
            .collect();
        if others.len() > shown.len() {
            shown.push("…".to_owned());
        }
        let shown = shown.join(", ");
        Some(format!(
            "the weights under `{prefix}` are read, and tensors under others left alone: {shown}"
        ))
    }
}

/// Words of a segment of a name: `model_ema` has two.
fn words(prefix: &str) -> impl Iterator<Item = String> {
    let words = prefix.split(|c: char| !c.is_ascii_alphanumeric());
    words.map(str::to_ascii_lowercase)
}

fn is_optimiser(prefix: &str) -> bool {
    prefix.contains("exp_avg")
        || words(prefix).any(|word| word == "opt" || word.starts_with("optim"))
}

fn is_average(prefix: &str) -> bool {
    let averages = ["ema", "average", "averaged", "avg", "shadow", "swa"];
    words(prefix).any(|word| averages.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use dsno_checkpoint::{CheckpointFormat, HostTensor, StateDict, to_safetensors};

    use super::*;

    const OWN: [&str; 3] = ["conv_in.weight", "conv_in.bias", "conv_out.bias"];

    /// A file with these prefixes before the network's names, and these names besides.
    fn file(prefixes: &[&str], more: &[&str]) -> Checkpoint {
        let tensor = HostTensor {
            shape: vec![1],
            values: vec![0.5],
        };
        let own = prefixes
            .iter()
            .flat_map(|p| OWN.iter().map(move |own| format!("{p}{own}")));
        let names = own.chain(more.iter().map(|name| (*name).to_owned()));
        let weights: StateDict = names.map(|name| (name, tensor.clone())).collect();
        let bytes = Cursor::new(to_safetensors(&weights));
        Checkpoint::from_reader(bytes, Path::new("file"), CheckpointFormat::Safetensors).unwrap()
    }

    fn chosen(file: &Checkpoint, set: Option<WeightSet>) -> Result<Prefix, Failure> {
        let own = OWN.map(str::to_owned);
        choose(file, &prefixes(file, &own), set)
    }

    #[test]
    fn the_network_is_found_below_any_prefix() {
        for prefix in ["", "module.", "state_dict.", "module.model.", "a/b/"] {
            let file = file(&[prefix], &["optimizer.state.0.exp_avg", "step"]);
            assert_eq!(chosen(&file, None).unwrap().prefix, prefix);
        }
        let file = file(&["params.", "opt_state.0.mu."], &["step"]);
        let found = chosen(&file, None).unwrap();
        assert_eq!(found.prefix, "params.");
        let expected = "the weights under `params.` are read, and tensors under others left alone: `opt_state.` (3), `step` (1)";
        assert_eq!(found.notice().unwrap(), expected);
    }

    #[test]
    fn the_average_is_taken_unless_the_last_weights_are_asked_for() {
        let both = file(&["model.", "model_ema."], &[]);
        let prefix = |set| chosen(&both, set).unwrap().prefix;
        assert_eq!(prefix(None), "model_ema.");
        assert_eq!(prefix(Some(WeightSet::Ema)), "model_ema.");
        assert_eq!(prefix(Some(WeightSet::Model)), "model.");
        let one = file(&["ema."], &[]);
        assert!(chosen(&one, Some(WeightSet::Model)).is_err());
        let several = file(&["teacher.", "student."], &[]);
        let message = chosen(&several, None).unwrap_err().to_string();
        assert!(message.contains("`student.`, `teacher.`"), "{message}");
    }

    #[test]
    fn other_names_have_no_prefix() {
        let own = OWN.map(str::to_owned);
        let other = file(&[], &["my_conv_in.weight", "x.conv_in.bias"]);
        assert!(prefixes(&other, &own).is_empty());
    }
}
