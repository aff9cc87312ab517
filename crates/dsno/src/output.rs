//! Files and folders that a call names for its results: tried before the work that fills them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dsno_checkpoint::npy::{self, Array, Values};

use crate::console::say;
use crate::failure::{Failure, While};
use crate::space;

/// Checks that a file can be written at `path`; folders on the way are made when it is.
///
/// # Errors
///
/// A usage failure if `path` is no name for a file, or one of the `inputs` that the call reads; a
/// preflight failure if nothing can be written there.
pub(crate) fn check_file(flag: &str, path: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let place = format!("{flag} {}", path.display());
    let written = path.to_string_lossy();
    if path.is_dir() || written.ends_with(std::path::is_separator) {
        return Err(Failure::usage(format!(
            "{place} is a folder, expected the name of a file"
        )));
    }
    if path.file_name().is_none() || (path.exists() && !path.is_file()) {
        return Err(Failure::usage(format!(
            "{place} is no ordinary file; give another name"
        )));
    }
    if inputs.iter().any(|input| is_same_file(input, path)) {
        return Err(Failure::usage(format!(
            "{place} is read by this call too; give the result another name"
        )));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    try_writing(&place, path.parent().unwrap_or(Path::new("")), &name)
}

/// Checks that two results of a call do not take one place.
///
/// # Errors
///
/// A usage failure that names both.
pub(crate) fn check_apart(outputs: &[(&str, &Path)]) -> Result<(), Failure> {
    for (at, (flag, path)) in outputs.iter().enumerate() {
        for (other_flag, other) in &outputs[..at] {
            if path == other || is_same_file(path, other) {
                return Err(Failure::usage(format!(
                    "{other_flag} and {flag} both are {}; give each its own name",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

/// Checks that `path` is, or can become, a folder with nothing in it but hidden files.
///
/// # Errors
///
/// A usage failure if something else is there; a preflight failure if nothing can be written.
pub(crate) fn check_empty_folder(flag: &str, path: &Path) -> Result<(), Failure> {
    let there = entries(flag, path)?;
    if let Some(first) = there.first() {
        return Err(Failure::usage(format!(
            "{flag} {} already holds {first}{}; give a new folder",
            path.display(),
            match there.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            }
        )));
    }
    check_folder(flag, path)
}

/// Checks that things can be written into `path`, which need not be there yet.
///
/// # Errors
///
/// As [`check_empty_folder`].
pub(crate) fn check_folder(flag: &str, path: &Path) -> Result<(), Failure> {
    entries(flag, path)?;
    try_writing(&format!("{flag} {}", path.display()), path, "folder")
}

/// Names of what is not hidden in a folder, sorted; none if there is no folder.
pub(crate) fn entries(flag: &str, path: &Path) -> Result<Vec<String>, Failure> {
    let place = format!("{flag} {}", path.display());
    if !path.exists() {
        return Ok(Vec::new());
    }
    if !path.is_dir() {
        return Err(Failure::usage(format!(
            "{place} is a file, expected a folder"
        )));
    }
    let listed = fs::read_dir(path).or_preflight(format!("{place} cannot be listed"))?;
    let names = listed.flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    Ok(names)
}

/// Whether two paths lead to one file.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    if let (Ok(a), Ok(b)) = (a.canonicalize(), b.canonicalize())
        && a == b
    {
        return true;
    }
    identity(a).is_some() && identity(a) == identity(b)
}

/// What the system calls a file, whatever paths lead to it.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map(|data| (data.dev(), data.ino())).ok()
}

/// Paths without links are all that is known of a file here.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// Writes and deletes a file in a folder, or where the folder would be made.
fn try_writing(place: &str, folder: &Path, name: &str) -> Result<(), Failure> {
    let there = space::existing(folder);
    if !there.is_dir() {
        return Err(Failure::preflight(format!(
            "{place} cannot be written: {} is a file, expected a folder",
            there.display()
        )));
    }
    let trial = there.join(format!(".{name}.{}-0.tmp", std::process::id()));
    File::create(&trial)
        .and_then(|_file| fs::remove_file(&trial))
        .or_preflight(format!("{place} cannot be written in {}", there.display()))
}

/// What the results of a call take, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Size {
    disk: Vec<(PathBuf, u64)>,
    memory: u64,
}

impl Size {
    /// Adds a result on the disk.
    pub(crate) fn on_disk(&mut self, path: &Path, bytes: u64) {
        self.disk.push((path.to_path_buf(), bytes));
    }

    /// Adds what is held until the end.
    pub(crate) fn in_memory(&mut self, bytes: u64) {
        self.memory = self.memory.saturating_add(bytes);
    }

    /// Checks that there is room.
    ///
    /// # Errors
    ///
    /// A preflight failure that gives both numbers.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let device = |path: &Path| fs::metadata(space::existing(path)).map(|m| m.dev()).ok();
        for (path, _) in &self.disk {
            let here = device(path);
            let same = self.disk.iter().filter(|(other, _)| device(other) == here);
            let needed = same.fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
            let free = space::free_disk_bytes(path).unwrap_or(u64::MAX);
            if free < needed {
                return Err(Failure::preflight(format!(
                    "about {} are needed on the disk of {}, {} are free; ask for fewer samples or another place",
                    space::bytes(needed),
                    path.display(),
                    space::bytes(free)
                )));
            }
        }
        let free = space::free_memory_bytes().unwrap_or(u64::MAX);
        if free < self.memory {
            return Err(Failure::preflight(format!(
                "the results take about {} of memory until they are written, {} are available; ask for fewer samples",
                space::bytes(self.memory),
                space::bytes(free)
            )));
        }
        Ok(())
    }
}

/// Product of some counts and a size in bytes, at most `u64::MAX`.
pub(crate) fn bytes_of(counts: &[usize], each: u64) -> u64 {
    let product = |product: u64, &count: &usize| product.saturating_mul(count as u64);
    counts.iter().fold(each, product)
}

/// `x-labels.npy` for `x.npy`.
fn labels_beside(raw: &Path) -> PathBuf {
    let stem = raw.file_stem().unwrap_or_default().to_string_lossy();
    raw.with_file_name(format!("{stem}-labels.npy"))
}

/// Makes the folder that a file will lie in.
///
/// # Errors
///
/// A failure at run time if it cannot be made.
pub(crate) fn make_parent(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::create_dir_all(parent).while_doing(format!("cannot create {}", parent.display()))
        }
        _ => Ok(()),
    }
}

/// Labels as an array of 64-bit integers, `[N]`.
pub(crate) fn label_array(labels: &[u32]) -> Array {
    Array {
        shape: vec![labels.len()],
        values: Values::I64(labels.iter().map(|&label| i64::from(label)).collect()),
    }
}

/// Writes labels, if there are any to write, beside the raw array of their samples.
///
/// # Errors
///
/// A failure at run time if the file cannot be written.
pub(crate) fn write_labels_beside(raw: &Path, labels: Option<&[u32]>) -> Result<(), Failure> {
    let Some(labels) = labels else { return Ok(()) };
    let path = labels_beside(raw);
    write_labels(&path, labels)?;
    say!("{}", path.display());
    Ok(())
}

/// Writes labels as an `.npy` file.
///
/// # Errors
///
/// A failure at run time if the file cannot be written.
pub(crate) fn write_labels(path: &Path, labels: &[u32]) -> Result<(), Failure> {
    npy::write(path, &label_array(labels)).while_doing("writing labels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_all_reason_do_not_wrap() {
        assert_eq!(bytes_of(&[2, 3], 4), 24);
        assert_eq!(bytes_of(&[usize::MAX, 3], 4), u64::MAX);
        let mut size = Size::default();
        size.on_disk(Path::new("a"), u64::MAX);
        size.on_disk(Path::new("b"), u64::MAX);
        assert_eq!(size.check().unwrap_err().code(), 3);
        let mut size = Size::default();
        size.in_memory(u64::MAX);
        size.in_memory(1);
        assert_eq!(size.memory, u64::MAX);
    }

    #[test]
    fn labels_lie_beside_their_samples() {
        assert_eq!(
            labels_beside(Path::new("a/x.npy")),
            Path::new("a/x-labels.npy")
        );
        assert_eq!(labels_beside(Path::new("x")), Path::new("x-labels.npy"));
    }

    #[test]
    fn what_cannot_be_written_is_found_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let code = |path: &Path, inputs: &[&Path]| {
            check_file("--raw", path, inputs).map_err(|failure| failure.code())
        };
        assert_eq!(code(&at("new.npy"), &[]), Ok(()));
        assert_eq!(code(&at("no/such/new.npy"), &[]), Ok(()));
        assert_eq!(code(&at("file"), &[]), Ok(()));
        assert_eq!(code(&at("file"), &[&at("./file")]), Err(2));
        fs::hard_link(at("file"), at("link")).unwrap();
        assert_eq!(code(&at("link"), &[&at("file")]), Err(2));
        fs::remove_file(at("link")).unwrap();
        assert_eq!(code(folder.path(), &[]), Err(2));
        assert_eq!(code(&at("new/"), &[]), Err(2));
        assert_eq!(code(Path::new("/dev/null"), &[]), Err(2));
        assert_eq!(code(&at("file/below.npy"), &[]), Err(3));
        assert_eq!(code(&at(&"x".repeat(300)), &[]), Err(3));
        let code = |path: &Path| check_empty_folder("--png", path).map_err(|f| f.code());
        assert_eq!(code(&at("folder")), Ok(()));
        assert_eq!(code(&at("file")), Err(2));
        assert_eq!(code(folder.path()), Err(2));
        assert_eq!(entries("--png", folder.path()).unwrap(), ["file"]);
        let both = [("--raw", at("x")), ("--npz", at("x"))];
        let both = [(both[0].0, &*both[0].1), (both[1].0, &*both[1].1)];
        assert_eq!(check_apart(&both).unwrap_err().code(), 2);
    }
}
