//! Random single mistakes in experiment files, `--set` and flags: each ends in exit code 2 or 3, before
//! anything is written, and without a panic.
//!
//! `DSNO_MISTAKES` says how many are tried; 2,000 if it is not set.

use std::path::Path;

use toml::{Table, Value};

use crate::end_to_end::Draws;
use crate::program::{call, project, text};

/// Mistakes of an ordinary test run; each costs a start of the program, some milliseconds.
const FEW: usize = 2000;

/// Keys that a file may leave out.
const OPTIONAL: [&str; 2] = ["mini", "ablation"];
/// Counts that a machine cannot have so many of, where more is not simply longer.
const BOUNDED: [&str; 8] = [
    "image_size",
    "base_channels",
    "embedding_channels",
    "res_blocks",
    "batch_size",
    "microbatches",
    "n_modes",
    "image_channels",
];
/// Texts that may be anything.
const FREE: [&str; 2] = ["about", "mini"];

/// A place in a tree: the keys that lead to it, and its value.
fn leaves(table: &Table, path: &[String], found: &mut Vec<(Vec<String>, Value)>) {
    for (key, value) in table {
        let mut path = path.to_vec();
        path.push(key.clone());
        found.push((path.clone(), value.clone()));
        if let Value::Table(inner) = value {
            leaves(inner, &path, found);
        }
    }
}

fn parent<'t>(tree: &'t mut Table, path: &[String]) -> &'t mut Table {
    let (_, above) = path.split_last().unwrap();
    above.iter().fold(tree, |table, key| {
        table.get_mut(key).and_then(Value::as_table_mut).unwrap()
    })
}

/// A value that cannot stand where `value` stands.
fn wrong(key: &str, value: &Value, draws: &mut Draws) -> Option<Value> {
    let text = |text: &str| Value::String(text.to_owned());
    let candidates = match value {
        Value::Integer(_) if BOUNDED.contains(&key) => vec![
            text("many"),
            Value::Integer(-1),
            Value::Integer(i64::MAX),
            Value::Boolean(true),
        ],
        Value::Integer(_) if key == "log_snr_min" => vec![text("low")],
        Value::Integer(_) => vec![text("many"), Value::Integer(-1), Value::Array(Vec::new())],
        Value::Float(_) => vec![
            text("some"),
            Value::Float(f64::NAN),
            Value::Float(f64::INFINITY),
            Value::Boolean(false),
        ],
        Value::Boolean(_) => vec![text("yes"), Value::Integer(1)],
        Value::String(_) if FREE.contains(&key) => vec![Value::Integer(3)],
        Value::String(was) => vec![
            Value::Integer(3),
            text(&format!("{was} ?")),
            Value::Array(vec![text(was)]),
        ],
        Value::Array(_) if key == "attention_resolutions" || key == "ablation" => {
            vec![text("none"), Value::Integer(1)]
        }
        Value::Array(_) => vec![text("none"), Value::Array(vec![text("x")])],
        Value::Table(_) => vec![Value::Integer(1), text("x"), Value::Array(Vec::new())],
        Value::Datetime(_) => Vec::new(),
    };
    let count = candidates.len() as u64;
    (count > 0).then(|| candidates[draws.below(count) as usize].clone())
}

/// One mistake: the text of the file, arguments more, and what it is.
fn mistake(text: &str, draws: &mut Draws) -> (String, Vec<String>, String) {
    let mut tree: Table = text.parse().unwrap();
    let mut places = Vec::new();
    leaves(&tree, &[], &mut places);
    let (path, value) = places[draws.below(places.len() as u64) as usize].clone();
    let key = path.last().unwrap().clone();
    let place = path.join(".");
    let file = |tree: &Table| toml::to_string(tree).unwrap();
    let is_optional = OPTIONAL.contains(&key.as_str());
    let is_scalar = !matches!(value, Value::Table(_) | Value::Array(_));
    match draws.below(7) {
        0 | 1 => {
            if let Some(wrong) = wrong(&key, &value, draws) {
                parent(&mut tree, &path).insert(key, wrong.clone());
                return (file(&tree), Vec::new(), format!("{place} = {wrong}"));
            }
        }
        2 if is_scalar && !is_optional => {
            parent(&mut tree, &path).remove(&key);
            return (file(&tree), Vec::new(), format!("{place} is missing"));
        }
        3 => {
            let table = parent(&mut tree, &path);
            table.insert(format!("{key}_"), value);
            return (file(&tree), Vec::new(), format!("{place}_ is unknown"));
        }
        4 => {
            let mut lines: Vec<&str> = text.lines().collect();
            let at = draws.below(lines.len() as u64) as usize;
            lines.insert(
                at,
                ["]", "= 3", "[", "\"", "key value"][draws.below(5) as usize],
            );
            return (
                lines.join("\n"),
                Vec::new(),
                format!("line {at} is no TOML"),
            );
        }
        5 => {
            if let Some(wrong) = wrong(&key, &value, draws) {
                let set = format!("{place}={wrong}");
                return (text.to_owned(), vec!["--set".to_owned(), set.clone()], set);
            }
        }
        _ => {}
    }
    let set = |set: &str| vec!["--set".to_owned(), set.to_owned()];
    let arguments = match draws.below(9) {
        0 => set(&place),
        1 => set(&format!("{place}x=1")),
        2 => set("=1"),
        3 => vec!["--seed".to_owned(), "-1".to_owned()],
        4 => vec!["--seed".to_owned(), "99999999999999999999".to_owned()],
        5 => vec!["--device".to_owned(), "gpu".to_owned()],
        6 => vec![format!("--{key}")],
        7 => vec!["--out".to_owned()],
        _ => vec![place],
    };
    let what = arguments.join(" ");
    (text.to_owned(), arguments, what)
}

#[test]
fn single_mistakes_end_in_a_sentence_before_any_work() {
    let asked = std::env::var("DSNO_MISTAKES").ok();
    let count = asked.and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let mini = project().join("experiments/mini");
    let bases = ["fashion", "cifar10", "imagenet64"];
    let bases = bases.map(|name| std::fs::read_to_string(mini.join(format!("{name}.toml"))));
    let bases: Vec<String> = bases.into_iter().filter_map(Result::ok).collect();
    assert!(!bases.is_empty());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let bases = &bases;
            scope.spawn(move || {
                for index in (worker..count).step_by(workers) {
                    check(&bases[index % bases.len()], index as u64);
                }
            });
        }
    });
}

#[track_caller]
fn check(base: &str, index: u64) {
    let mut draws = Draws::new(index);
    let (file, more, what) = mistake(base, &mut draws);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mistake.toml");
    std::fs::write(&path, file).unwrap();
    let out = folder.path().join("runs");
    let mut arguments = vec!["experiment".to_owned(), text(&path)];
    arguments.extend(["--out".to_owned(), text(&out)]);
    arguments.extend(more);
    let answer = call(&arguments);
    let context = format!("mistake {index}, {what}: {}", answer.err);
    assert!(
        matches!(answer.code, Some(2 | 3)),
        "{:?} {context}",
        answer.code
    );
    assert!(!answer.err.contains("panicked"), "{context}");
    assert!(answer.err.contains("error:"), "{context}");
    assert!(!is_begun(&out), "work was begun, {context}");
}

fn is_begun(out: &Path) -> bool {
    out.read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
}
