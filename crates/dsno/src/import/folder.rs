//! The folder of a diffusers model: its configuration, its scheduler and its weights.
//!
//! It is what `save_pretrained` writes for a pipeline or for a network alone, a checkpoint of accelerate,
//! or what the hub's client keeps (`models--ORG--NAME` with `refs` and `snapshots`).

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::ShardIndex;

use crate::failure::{Failure, While};

pub(super) const CONFIG: &str = "config.json";
pub(super) const SCHEDULER: &str = "scheduler_config.json";
/// Folders of a pipeline that hold a network; the second one of training scripts.
const NETWORKS: [&str; 2] = ["unet", "unet_ema"];
/// Names of weight files, without their ending, and the endings.
const STEMS: [&str; 3] = ["diffusion_pytorch_model", "model", "pytorch_model"];
const ENDINGS: [&str; 2] = ["safetensors", "bin"];

/// Where weights lie.
pub(super) enum WeightFiles {
    One(PathBuf),
    Several(ShardIndex),
}

impl WeightFiles {
    /// All files that are read.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::One(file) => vec![file.clone()],
            Self::Several(index) => [vec![index.path().to_owned()], index.files()].concat(),
        }
    }
}

/// The folder of the model itself, where `path` is the one that the hub's client keeps it in.
pub(super) fn resolved(path: &Path) -> Result<PathBuf, Failure> {
    if path.join("snapshots").is_dir() {
        return snapshot(path);
    }
    match path.parent() {
        Some(model) if path.ends_with("snapshots") && path.is_dir() => return snapshot(model),
        _ => {}
    }
    let is_model = |name: &String| name.starts_with("models--");
    let models: Vec<String> = names(path).into_iter().filter(is_model).collect();
    match &models[..] {
        [] => Ok(path.to_owned()),
        [only] => snapshot(&path.join(only)),
        several => Err(Failure::usage(format!(
            "{} holds {} models ({}); give the folder of one",
            path.display(),
            several.len(),
            first(several)
        ))),
    }
}

/// The snapshot that `refs/main` names, or the only one.
fn snapshot(model: &Path) -> Result<PathBuf, Failure> {
    let snapshots = model.join("snapshots");
    let main = model.join("refs").join("main");
    if main.is_file() {
        let commit =
            fs::read_to_string(&main).or_preflight(format!("reading {}", main.display()))?;
        let found = snapshots.join(commit.trim());
        if found.is_dir() {
            return Ok(found);
        }
        return Err(Failure::preflight(format!(
            "{} names a snapshot that is not there; download the model again",
            main.display()
        )));
    }
    match &names(&snapshots)[..] {
        [only] => Ok(snapshots.join(only)),
        [] => Err(Failure::preflight(format!(
            "{} is empty; download the model again",
            snapshots.display()
        ))),
        several => Err(Failure::usage(format!(
            "{} holds {} snapshots ({}) and no refs/main beside it; give the folder of one",
            snapshots.display(),
            several.len(),
            first(several)
        ))),
    }
}

/// The `config.json` of the network of a resolved folder.
pub(super) fn config(folder: &Path) -> Option<PathBuf> {
    let inside = NETWORKS.iter().map(|network| folder.join(network));
    let mut places = std::iter::once(folder.to_owned()).chain(inside);
    places.find_map(|place| Some(place.join(CONFIG)).filter(|config| config.is_file()))
}

/// The scheduler's file that belongs to a `config.json`.
pub(super) fn scheduler(config: &Path) -> Option<PathBuf> {
    let folder = parent(config);
    let places = [
        folder.join(SCHEDULER),
        folder.join("scheduler").join(SCHEDULER),
        folder.join("..").join("scheduler").join(SCHEDULER),
    ];
    places.into_iter().find(|path| path.is_file())
}

/// The weights of a resolved folder: those beside its `config.json`, under one of the usual names.
///
/// # Errors
///
/// A preflight failure if there are none, or not all; a usage failure if several variants could be meant.
pub(super) fn weights(folder: &Path) -> Result<WeightFiles, Failure> {
    let beside = config(folder).map(|config| parent(&config).to_owned());
    let place = beside.unwrap_or_else(|| folder.to_owned());
    let found = names(&place);
    let file = |name: &String| place.join(name);
    let usual = STEMS.iter().flat_map(|stem| {
        let of = |ending: &&str| {
            let whole = format!("{stem}.{ending}");
            let index = format!("{whole}.index.json");
            [whole, index]
        };
        ENDINGS.iter().flat_map(of).collect::<Vec<_>>()
    });
    let mut chosen = usual.into_iter().find(|name| found.contains(name));
    if chosen.is_none() {
        let variants: Vec<&String> = found.iter().filter(|name| is_variant(name)).collect();
        let safe: Vec<&String> = variants
            .iter()
            .copied()
            .filter(|name| name.contains(".safetensors"))
            .collect();
        chosen = match (&safe[..], &variants[..]) {
            ([only], _) | ([], [only]) => Some((*only).clone()),
            ([], []) => None,
            _ => {
                return Err(Failure::usage(format!(
                    "{} holds several variants of the weights ({}); give the file of one",
                    place.display(),
                    first(&variants)
                )));
            }
        };
    }
    let Some(name) = chosen else {
        return Err(nothing(&place, &found));
    };
    let path = file(&name);
    if !path.is_file() {
        return Err(Failure::preflight(format!(
            "{} is a link to a file that is not there",
            path.display()
        )));
    }
    if !name.ends_with(".json") {
        return Ok(WeightFiles::One(path));
    }
    let index = ShardIndex::read(&path).while_doing("reading the weights")?;
    if let Some(missing) = index.files().iter().find(|file| !file.is_file()) {
        return Err(Failure::preflight(format!(
            "{} names {}, which is not there",
            path.display(),
            missing.display()
        )));
    }
    Ok(WeightFiles::Several(index))
}

/// Whether a name is that of a variant, such as `diffusion_pytorch_model.fp16.safetensors`, or of its index.
fn is_variant(name: &str) -> bool {
    let of_stem = |stem: &&str| {
        let rest = name.strip_prefix(*stem)?.strip_prefix('.')?;
        let is_index = rest.contains(".index") && rest.ends_with(".json");
        let is_file = ENDINGS
            .iter()
            .any(|e| rest.strip_suffix(e).is_some_and(|v| v.ends_with('.')));
        (is_index || is_file).then_some(())
    };
    STEMS.iter().any(|stem| of_stem(stem).is_some())
}

/// Why a folder has no weights.
fn nothing(place: &Path, found: &[String]) -> Failure {
    let usual = format!("{}.{}", STEMS[0], ENDINGS[0]);
    let is_shard = |name: &&String| name.contains("-of-") && !name.ends_with(".json");
    if let Some(shard) = found.iter().find(is_shard) {
        return Failure::preflight(format!(
            "{} holds a part of the weights, {shard}, and no index; place {usual}.index.json there",
            place.display()
        ));
    }
    let endings = ["safetensors", "bin", "pt", "pth", "ckpt", "msgpack"];
    let is_weights = |name: &&String| {
        let ending = Path::new(name).extension();
        endings
            .iter()
            .any(|known| ending.is_some_and(|e| e == *known))
    };
    let others: Vec<&String> = found.iter().filter(is_weights).collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(", only {}", first(&others))
    };
    Failure::preflight(format!("{} has no {usual}{others}", place.display()))
}

/// The first few of several names.
fn first<T: AsRef<str>>(names: &[T]) -> String {
    let mut shown: Vec<&str> = names.iter().take(4).map(AsRef::as_ref).collect();
    if names.len() > shown.len() {
        shown.push("…");
    }
    shown.join(", ")
}

/// Names in a folder, sorted; none of hidden files.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}

/// The folder of a file.
pub(super) fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
