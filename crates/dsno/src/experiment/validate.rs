//! Checks of an experiment that its types cannot make.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Experiment, StudentPlan};

impl Experiment {
    /// Checks that the sections make sense together.
    ///
    /// # Errors
    ///
    /// A sentence that names the key, what it is and what was expected.
    pub(crate) fn validate(&self) -> Result<(), String> {
        is_name("name", &self.name)?;
        let (collect, evaluate) = (self.collect.is_some(), self.evaluate.is_some());
        let (student, distill) = (self.student.is_some(), self.distill.is_some());
        requires("distill", distill, "collect", collect)?;
        requires("distill", distill, "student", student)?;
        requires("student", student, "distill", distill)?;
        requires("ablation", !self.ablation.is_empty(), "distill", distill)?;
        let either = "collect` or `evaluate";
        requires("sample", self.sample.is_some(), either, collect || evaluate)?;
        let mut names = BTreeSet::from([StudentPlan::MAIN, "data"]);
        for ablation in &self.ablation {
            is_name("ablation.name", &ablation.name)?;
            if !names.insert(&ablation.name) || ablation.name.starts_with("teacher") {
                return Err(format!(
                    "ablation.name `{}` is already a sampler",
                    ablation.name
                ));
            }
        }
        Ok(())
    }
}

/// Fails if there is a section without another that it needs.
fn requires(section: &str, is_there: bool, other: &str, other_is: bool) -> Result<(), String> {
    if is_there && !other_is {
        return Err(format!("section `{section}` needs a section `{other}`"));
    }
    Ok(())
}

fn is_name(key: &str, name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "{key} is `{name}`, expected small letters, digits and dashes"
    ))
}

/// More than this of anything that an experiment counts is a slip of the pen.
const MOST: usize = 1_000_000_000;

/// Fails with a sentence that names the key.
pub(super) fn at_least(key: &str, found: usize, least: usize) -> Result<(), String> {
    if found < least {
        return Err(format!("{key} is {found}, expected at least {least}"));
    }
    at_most(key, found, MOST, "a billion")
}

/// Fails with a sentence that names the key, and what is at `most`.
pub(super) fn at_most(key: &str, found: usize, most: usize, why: &str) -> Result<(), String> {
    if found <= most {
        Ok(())
    } else {
        Err(format!("{key} is {found}, expected at most {most} ({why})"))
    }
}

/// Fails with a sentence that names the key and the value that is there twice.
pub(super) fn unique<T: Ord + Display>(key: &str, values: &[T]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match values.iter().find(|value| !seen.insert(*value)) {
        Some(twice) => Err(format!("{key} has {twice} twice")),
        None => Ok(()),
    }
}
