//! Differences between the names and shapes of a file and of a network, in a few words.

use std::fmt::{self, Display};

/// Differences of a kind that are shown; the rest is counted.
const SHOWN: usize = 4;
/// Characters of a name that are shown.
const LONGEST: usize = 100;

/// Says how many tensors are missing, unexpected and of another shape, and shows the first of each.
pub(crate) struct Differences<'a> {
    pub(crate) missing: &'a [String],
    pub(crate) unexpected: &'a [String],
    pub(crate) misshapen: &'a [(String, Vec<usize>, Vec<usize>)],
}

impl Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(list) = first(self.missing, |name| short(name)) {
            parts.push(format!("{} missing ({list})", self.missing.len()));
        }
        if let Some(list) = first(self.unexpected, |name| short(name)) {
            let count = self.unexpected.len();
            let all = match common_prefix(self.unexpected) {
                Some(prefix) => format!("{count} unexpected that all begin with {}", short(prefix)),
                None => format!("{count} unexpected"),
            };
            parts.push(format!("{all} ({list})"));
        }
        let shapes = |(name, found, expected): &(String, Vec<usize>, Vec<usize>)| {
            format!("{} is {found:?}, expected {expected:?}", short(name))
        };
        if let Some(list) = first(self.misshapen, shapes) {
            parts.push(format!(
                "{} of another shape ({list})",
                self.misshapen.len()
            ));
        }
        f.write_str(&parts.join("; "))
    }
}

/// The first few, and how many more there are; `None` if there is none.
fn first<T>(all: &[T], show: impl Fn(&T) -> String) -> Option<String> {
    let mut list: Vec<String> = all.iter().take(SHOWN).map(show).collect();
    if all.len() > SHOWN {
        list.push(format!("and {} more", all.len() - SHOWN));
    }
    (!list.is_empty()).then(|| list.join(", "))
}

fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &name[..end]),
        None => format!("`{name}`"),
    }
}

/// What several names begin with, up to and with a separator.
fn common_prefix(names: &[String]) -> Option<&str> {
    let [head, rest @ ..] = names else {
        return None;
    };
    let mut common = head.as_str();
    for name in rest {
        let pairs = common.char_indices().zip(name.chars());
        let same = pairs.take_while(|((_, a), b)| a == b);
        let end = same
            .last()
            .map_or(0, |((place, c), _)| place + c.len_utf8());
        common = &common[..end];
    }
    let end = common.rfind(['.', '/'])? + 1;
    (!rest.is_empty()).then(|| &common[..end])
}

#[cfg(test)]
mod tests {
    use crate::WeightError;

    #[test]
    fn a_network_under_other_names_takes_a_few_lines() {
        let names = |prefix: &str| -> Vec<String> {
            (0..700)
                .map(|k| format!("{prefix}down.{k}.weight"))
                .collect()
        };
        let error = WeightError::Mismatch {
            missing: names(""),
            unexpected: names("state_dict.net."),
            misshapen: (0..300)
                .map(|k| (k.to_string(), vec![1; 32], vec![2; 32]))
                .collect(),
        };
        let text = error.to_string();
        for word in [
            "700 missing",
            "700 unexpected",
            "`state_dict.net.down.`",
            "300 of another",
            "696 more",
        ] {
            assert!(text.contains(word), "{text}");
        }
        // Lines of a terminal.
        assert!(text.len() < 20 * 80 && !text.contains('\n'), "{text}");
    }

    #[test]
    fn one_difference_is_shown_whole() {
        let error = WeightError::Mismatch {
            missing: vec!["a.weight".to_owned()],
            unexpected: vec![],
            misshapen: vec![],
        };
        let expected = "weights do not fit the architecture: 1 missing (`a.weight`)";
        assert_eq!(error.to_string(), expected);
        let long = WeightError::Mismatch {
            missing: vec![],
            unexpected: vec!["é".repeat(4000)],
            misshapen: vec![],
        };
        assert!(long.to_string().len() < 400);
    }
}
