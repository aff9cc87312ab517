//! What users should be told of the files that are read.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use dsno_operator::family::diffusers;

use crate::console::note;

/// Prints a line on standard error, once for each run of the program: stages ask for descriptions again.
pub(super) fn tell(place: &Path, text: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("{}: {text}", place.display());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.insert(line.clone()) {
        note!("{line}");
    }
}

/// What a notice about a diffusers model means for this program.
pub(super) fn diffusers(notice: &diffusers::Notice) -> String {
    match notice {
        diffusers::Notice::LeftAlone { .. } => notice.to_string(),
        _ => format!(
            "{notice}; `dsno sample` and `collect` clamp it to [-1, 1] unless --unclamped is given"
        ),
    }
}
