//! `--set table.key=value`: changes to an experiment, made on the TOML tree before it is read.

use toml::{Table, Value};

/// One change, as given on the command line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Override {
    key: String,
    value: Value,
}

impl std::str::FromStr for Override {
    type Err = String;

    /// Reads `table.key=value`; a value that is no TOML is taken as text.
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` has no `=`, expected table.key=value"))?;
        let key = key.trim();
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(format!("`{key}` is not a key, expected table.key=value"));
        }
        let value = format!("value = {value}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.trim().to_owned()));
        Ok(Self {
            key: key.to_owned(),
            value,
        })
    }
}

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

impl Override {
    /// A change made by the program itself.
    pub(crate) fn new(key: &str, value: impl Into<Value>) -> Self {
        Self {
            key: key.to_owned(),
            value: value.into(),
        }
    }

    /// Changes the key if it is `earlier`.
    pub(super) fn rename(&mut self, earlier: &str, today: &str) -> Option<()> {
        (self.key == earlier).then(|| today.clone_into(&mut self.key))
    }

    /// Replaces the value of an existing key.
    ///
    /// # Errors
    ///
    /// A sentence if the key does not exist: every key of an experiment is in its file.
    pub(crate) fn apply(&self, tree: &mut Table) -> Result<(), String> {
        let mut steps: Vec<&str> = self.key.split('.').collect();
        let last = steps.pop().unwrap_or_default();
        let mut table = tree;
        for step in steps {
            let keys = names(table);
            table = table
                .get_mut(step)
                .and_then(Value::as_table_mut)
                .ok_or_else(|| self.unknown(step, "table", &keys))?;
        }
        let keys = names(table);
        let slot = table
            .get_mut(last)
            .ok_or_else(|| self.unknown(last, "key", &keys))?;
        *slot = self.value.clone();
        Ok(())
    }

    fn unknown(&self, step: &str, what: &str, keys: &str) -> String {
        format!(
            "cannot set `{}`: the experiment has no {what} `{step}` there, it has {keys}",
            self.key
        )
    }
}

fn names(table: &Table) -> String {
    table
        .keys()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Table {
        "seed = 1\n[distill]\nbatch_size = 32\nloss = { kind = \"l1\" }"
            .parse()
            .unwrap()
    }

    #[test]
    fn replaces_values_of_every_kind() {
        let mut tree = tree();
        for text in [
            "seed=7",
            "distill.batch_size = 64",
            "distill.loss={ kind = \"l2\" }",
        ] {
            text.parse::<Override>().unwrap().apply(&mut tree).unwrap();
        }
        let expected = "seed = 7\n[distill]\nbatch_size = 64\nloss = { kind = \"l2\" }";
        assert_eq!(tree, expected.parse().unwrap());
    }

    #[test]
    fn takes_bare_words_as_text() {
        let change: Override = "data.root=/mnt/cifar 10".parse().unwrap();
        assert_eq!(change.value, Value::String("/mnt/cifar 10".into()));
    }

    #[test]
    fn refuses_keys_that_do_not_exist() {
        let change: Override = "distill.bach_size=64".parse().unwrap();
        let error = change.apply(&mut tree()).unwrap_err();
        assert!(error.contains("`batch_size`"), "{error}");
    }
}
