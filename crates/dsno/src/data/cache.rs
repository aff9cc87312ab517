//! What is known of the files of data sets until they change: their content, and that they are whole.
//!
//! One small file for all data sets, in `DSNO_CACHE`, else `XDG_CACHE_HOME/dsno`, else
//! `HOME/.cache/dsno`. An entry holds for files of the same names, sizes, times and inodes. A cache
//! that cannot be read or written is not used, without a word.

use std::fmt::Write;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dsno_checkpoint::atomic::write_atomic;
use dsno_checkpoint::digest::sha256_bytes;
use dsno_data::DatasetSpec;
use serde::{Deserialize, Serialize};

/// Entries that are kept, the latest last.
const ENTRIES: usize = 100;
/// Files that changed more recently could change again within the resolution of their times.
const SETTLED: Duration = Duration::from_secs(2);

/// The entry of one data set.
#[derive(Debug)]
pub(super) struct Cache {
    /// The file and the entry's name; `None` where there is nothing to be known or to keep it in.
    place: Option<(PathBuf, String)>,
}

/// What is known of the files of a set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Digest of the version, the specification, and names, sizes, times and inodes of the files.
    fingerprint: String,
    /// Digest of the content.
    content: Option<String>,
    /// Whether everything was checked and found right.
    whole: bool,
}

impl Cache {
    /// The entry of a set, whose files need not be there.
    pub(super) fn of(spec: &DatasetSpec, root: &Path) -> Self {
        let place = folder().zip(fingerprint(spec, root));
        let place = place.map(|(folder, print)| (folder.join("datasets.json"), print));
        Self { place }
    }

    /// The digest of the content, if it is known.
    pub(super) fn content(&self) -> Option<String> {
        self.entry()?.content
    }

    /// Whether everything is known to be right.
    pub(super) fn is_whole(&self) -> bool {
        self.entry().is_some_and(|entry| entry.whole)
    }

    /// Keeps the digest of the content.
    pub(super) fn store_content(&self, content: &str) {
        self.store(|entry| entry.content = Some(content.to_owned()));
    }

    /// Keeps that everything is right.
    pub(super) fn store_whole(&self) {
        self.store(|entry| entry.whole = true);
    }

    fn entry(&self) -> Option<Entry> {
        let (file, fingerprint) = self.place.as_ref()?;
        let mut entries = read(file).into_iter();
        entries.find(|entry| entry.fingerprint == *fingerprint)
    }

    fn store(&self, change: impl FnOnce(&mut Entry)) {
        let Some((file, fingerprint)) = &self.place else {
            return;
        };
        let mut entries = read(file);
        let known = entries.iter().position(|e| e.fingerprint == *fingerprint);
        let mut entry = known.map_or_else(
            || Entry {
                fingerprint: fingerprint.clone(),
                content: None,
                whole: false,
            },
            |at| entries.remove(at),
        );
        change(&mut entry);
        entries.push(entry);
        let oldest = entries.len().saturating_sub(ENTRIES);
        let text = serde_json::to_vec_pretty(&entries[oldest..]).unwrap_or_default();
        let _cannot_be_made = file.parent().map(fs::create_dir_all);
        let _not_kept = write_atomic(file, &text);
    }
}

fn read(file: &Path) -> Vec<Entry> {
    let text = fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let below = |name: &str, below: &str| set(name).map(|folder| PathBuf::from(folder).join(below));
    set("DSNO_CACHE")
        .map(PathBuf::from)
        .or_else(|| below("XDG_CACHE_HOME", "dsno"))
        .or_else(|| below("HOME", ".cache/dsno"))
}

/// `None` if a file is missing, or may be changing.
fn fingerprint(spec: &DatasetSpec, root: &Path) -> Option<String> {
    let files = spec.data_files(root).ok()?;
    let mut text = format!(
        "{} {}\n",
        env!("CARGO_PKG_VERSION"),
        serde_json::to_string(spec).ok()?
    );
    let settled = SystemTime::now() - SETTLED;
    for file in files {
        let metadata = fs::metadata(&file).ok()?;
        let path = std::path::absolute(&file).ok()?;
        if metadata.modified().ok()? > settled {
            return None;
        }
        let stamp = stamp(&metadata, settled)?;
        let _always_fits = writeln!(text, "{} {stamp}", path.display());
    }
    Some(sha256_bytes(text.as_bytes()))
}

/// Size, modification time, inode and change time.
#[cfg(unix)]
fn stamp(metadata: &Metadata, settled: SystemTime) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let since = settled.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if metadata.ctime() > since.as_secs().cast_signed() {
        return None;
    }
    Some(format!(
        "{} {}.{:09} {} {}.{:09}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec()
    ))
}

/// Size and modification time.
#[cfg(not(unix))]
fn stamp(metadata: &Metadata, _settled: SystemTime) -> Option<String> {
    let modified = metadata.modified().ok()?;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), since.as_nanos()))
}
