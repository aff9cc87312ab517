//! `dsno devices`.

use serde_json::json;

use crate::args::ListArgs;
use crate::console::say;
use crate::device::Backend;
use crate::failure::Failure;

/// Lists the backends and whether they were built in.
pub(super) fn devices(args: &ListArgs) -> Result<(), Failure> {
    if args.json {
        let list: Vec<_> = Backend::ALL
            .into_iter()
            .map(|b| json!({ "device": b.name(), "runs_on": b.describe(), "compiled": b.is_compiled() }))
            .collect();
        return print_json(&list);
    }
    for backend in Backend::ALL {
        let state = if backend.is_compiled() {
            "built in".to_owned()
        } else {
            format!("build with --features {}", backend.name())
        };
        say!("{:<8} {:<32} {state}", backend.name(), backend.describe());
    }
    Ok(())
}

/// Prints a value for programs.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::run)?;
    say!("{text}");
    Ok(())
}
