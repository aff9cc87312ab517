//! `dsno devices` and `dsno datasets`.

use dsno_data::DatasetSpec;
use serde_json::json;

use crate::args::ListArgs;
use crate::device::Backend;
use crate::failure::{Failure, sentence};
use crate::home::Home;

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
        println!("{:<8} {:<32} {state}", backend.name(), backend.describe());
    }
    Ok(())
}

/// Lists the data sets and whether their files are there.
pub(super) fn datasets(args: &ListArgs) -> Result<(), Failure> {
    let home = Home::find();
    let root = home.resolve("datasets");
    let mut list = Vec::new();
    for name in home.datasets() {
        match DatasetSpec::load(root.join(format!("{name}.toml"))) {
            Ok(spec) => {
                let missing = spec.missing_files(&root);
                list.push(json!({
                    "name": name, "licence": spec.licence, "source": spec.source,
                    "missing": missing, "obtain": spec.obtain,
                }));
                if !args.json {
                    let state = match missing.len() {
                        0 => "here".to_owned(),
                        _ => format!("missing: {}", spec.obtain),
                    };
                    println!("{name:<20} {state}");
                }
            }
            Err(error) => return Err(Failure::usage(sentence(&error))),
        }
    }
    if args.json { print_json(&list) } else { Ok(()) }
}

/// Prints a value for programs.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::run)?;
    println!("{text}");
    Ok(())
}
