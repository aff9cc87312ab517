//! No two folders of a crate need each other, so that each can be read, and moved, without the other.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;

/// Names of modules from the root of a crate.
type Module = Vec<String>;
/// Which folders a folder needs, and a file that says so.
type Arrows = BTreeMap<Module, BTreeMap<Module, String>>;

/// All modules below a folder and their text, without tests and comments.
fn modules(
    folder: &Path,
    path: &Module,
    found: &mut BTreeMap<Module, String>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let stem = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut module = path.clone();
        if file.is_dir() {
            module.push(stem);
            modules(&file, &module, found)?;
        } else if file.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
            if !(path.is_empty() && ["lib", "main"].contains(&stem.as_str())) {
                module.push(stem);
            }
            let text = fs::read_to_string(&file)?;
            let product = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let code = product
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            found.insert(module, code.collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(())
}

/// The modules that a module's text names: paths that begin with `crate` or `super`, as far as they
/// lead. A group in braces counts as the module before it.
fn named(module: &Module, text: &str, all: &BTreeMap<Module, String>) -> Vec<Module> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            if text[..at].ends_with(|c| is_word(c) || c == ':') {
                continue;
            }
            let mut place = match start {
                "crate::" => Module::new(),
                _ => module[..module.len().saturating_sub(1)].to_vec(),
            };
            for word in text[at + start.len()..].split("::") {
                let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
                let name = &word[..end];
                if name == "super" {
                    place.pop();
                } else {
                    place.push(name.to_owned());
                    if !all.contains_key(&place) {
                        place.pop();
                        break;
                    }
                }
                if end < word.len() {
                    break;
                }
            }
            found.push(place);
        }
    }
    found
}

/// The folder that a module is of: the innermost one that it is in, or its own.
fn folder(module: &Module, folders: &BTreeSet<Module>) -> Module {
    let depths = (0..=module.len()).rev();
    let mut above = depths.map(|depth| module[..depth].to_vec());
    above
        .find(|module| folders.contains(module))
        .unwrap_or_default()
}

fn arrows(source: &Path) -> std::io::Result<Arrows> {
    let mut all = BTreeMap::new();
    modules(source, &Module::new(), &mut all)?;
    let above = |module: &Module| {
        (0..module.len())
            .map(|n| module[..n].to_vec())
            .collect::<Vec<_>>()
    };
    let folders: BTreeSet<Module> = all.keys().flat_map(above).collect();
    let mut arrows = Arrows::new();
    for (module, text) in &all {
        let from = folder(module, &folders);
        for to in named(module, text, &all) {
            let to = folder(&to, &folders);
            // What a folder shares with those in it is one thing.
            if !from.starts_with(&to) && !to.starts_with(&from) {
                let file = module.join("::");
                arrows.entry(from.clone()).or_default().insert(to, file);
            }
        }
    }
    Ok(arrows)
}

fn reached(from: &Module, arrows: &Arrows, seen: &mut BTreeSet<Module>) {
    for to in arrows.get(from).into_iter().flat_map(BTreeMap::keys) {
        if seen.insert(to.clone()) {
            reached(to, arrows, seen);
        }
    }
}

#[test]
fn folders_of_a_crate_form_no_circle() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut circles = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(crates)? {
        let entry = entry?.path();
        let arrows = arrows(&entry.join("src"))?;
        count += arrows.values().map(BTreeMap::len).sum::<usize>();
        for (from, needs) in &arrows {
            for (to, file) in needs {
                let mut seen = BTreeSet::new();
                reached(to, &arrows, &mut seen);
                if seen.contains(from) {
                    let name = entry.file_name().unwrap_or_default().to_string_lossy();
                    circles.push(format!(
                        "{name}: {} needs {} in {file}",
                        from.join("::"),
                        to.join("::")
                    ));
                }
            }
        }
    }
    assert!(count > 30, "only {count} arrows were read");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
    Ok(())
}
