//! Keys that earlier versions called otherwise.

use std::fmt::{Display, Formatter, Result};

use toml::{Table, Value};

use super::Override;

/// A key and its name in earlier versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Renamed {
    earlier: &'static str,
    today: &'static str,
}

const RENAMED: [Renamed; 3] = [
    Renamed {
        earlier: "teacher.recipe.shards",
        today: "teacher.recipe.microbatches",
    },
    Renamed {
        earlier: "collect.precision",
        today: "collect.dtype",
    },
    Renamed {
        earlier: "distill.shards",
        today: "distill.microbatches",
    },
];

impl Display for Renamed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { earlier, today } = self;
        write!(f, "`{earlier}` is now called `{today}`; read as such")
    }
}

/// Gives every key its name of today, in the file, its ablations and `overrides`; returns those that
/// had another.
pub(super) fn rename(tree: &mut Table, overrides: &mut [Override]) -> Vec<Renamed> {
    let mut found = RENAMED.to_vec();
    found.retain(|key| {
        let in_file = key.rename_in(tree);
        let ablations = tree.get_mut("ablation").and_then(Value::as_array_mut);
        let sets = ablations.into_iter().flatten().filter_map(|ablation| {
            let set = ablation.as_table_mut()?.get_mut("set")?;
            set.as_table_mut()
        });
        let in_ablations = sets.filter_map(|set| {
            let value = set.remove(key.earlier)?;
            set.insert(key.today.to_owned(), value);
            Some(())
        });
        let in_ablations = in_ablations.count() > 0;
        let in_overrides = overrides
            .iter_mut()
            .filter_map(|change| change.rename(key.earlier, key.today));
        in_overrides.count() > 0 || in_ablations || in_file
    });
    found
}

impl Renamed {
    /// Leaves a table alone that has both, so that one of them is an error.
    fn rename_in(self, tree: &mut Table) -> bool {
        let (path, earlier) = self.earlier.rsplit_once('.').unwrap_or_default();
        let (_, today) = self.today.rsplit_once('.').unwrap_or_default();
        let table = path
            .split('.')
            .try_fold(tree, |table, name| table.get_mut(name)?.as_table_mut());
        let Some(table) = table else {
            return false;
        };
        if table.contains_key(today) {
            return false;
        }
        let value = table.remove(earlier);
        value.is_some_and(|value| table.insert(today.to_owned(), value).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_names_are_read_wherever_they_are_set() {
        let mut tree: Table = "[collect]\nprecision = 'f32'\n[distill]\nmicrobatches = 2\n\
            [[ablation]]\nset = { 'distill.shards' = 4 }"
            .parse()
            .unwrap();
        let mut overrides = vec!["collect.precision=f16".parse().unwrap()];
        let notices = rename(&mut tree, &mut overrides);
        let notices: Vec<String> = notices.iter().map(ToString::to_string).collect();
        assert_eq!(
            notices,
            [
                "`collect.precision` is now called `collect.dtype`; read as such",
                "`distill.shards` is now called `distill.microbatches`; read as such",
            ]
        );
        let expected = "[collect]\ndtype = 'f32'\n[distill]\nmicrobatches = 2\n\
            [[ablation]]\nset = { 'distill.microbatches' = 4 }";
        assert_eq!(tree, expected.parse().unwrap());
        assert_eq!(overrides[0].to_string(), "collect.dtype = \"f16\"");
        assert!(rename(&mut tree, &mut overrides).is_empty());
    }

    #[test]
    fn a_file_with_both_names_is_left_to_the_schema() {
        let mut tree: Table = "[distill]\nmicrobatches = 2\nshards = 2".parse().unwrap();
        assert!(rename(&mut tree, &mut []).is_empty());
        assert!(tree["distill"].as_table().unwrap().contains_key("shards"));
    }
}
