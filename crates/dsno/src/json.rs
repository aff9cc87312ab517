//! JSON files for other programs.

use std::path::Path;

use dsno_checkpoint::atomic::write_atomic;
use serde::Serialize;

use crate::failure::{Failure, While};

/// Writes a JSON file atomically, creating its folder.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .while_doing(format!("cannot create {}", folder.display()))?;
    }
    let text =
        serde_json::to_vec_pretty(value).while_doing(format!("writing {}", path.display()))?;
    write_atomic(path, &text).while_doing(format!("writing {}", path.display()))
}
