//! The files that a stage left, and whether they are still what it left.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use dsno_checkpoint::digest::sha256_file;
use dsno_train::training_state::{FINISHED, NEWEST, PREVIOUS};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, While};

/// One file as it was when its stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Below the run folder.
    path: PathBuf,
    bytes: u64,
    /// When it was written, in nanoseconds since 1970.
    modified: u64,
    /// Of its content; left out for files that carry checksums of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// Records all files of `outputs` below `folder`; their digests too, unless they are `checksummed`.
///
/// States of trainings are left out: they may be deleted once the result is there.
pub(crate) fn record(
    folder: &Path,
    outputs: &[PathBuf],
    checksummed: bool,
) -> Result<Vec<Record>, Failure> {
    let mut records = Vec::new();
    for (path, metadata) in files(folder, outputs) {
        let place = folder.join(&path);
        if [NEWEST, PREVIOUS, FINISHED]
            .iter()
            .any(|state| path.ends_with(state))
        {
            continue;
        }
        let digest = || sha256_file(&place);
        let sha256 = (!checksummed).then(digest).transpose();
        records.push(Record {
            sha256: sha256.while_doing(format!("cannot read {}", place.display()))?,
            bytes: metadata.len(),
            modified: modified(&metadata),
            path,
        });
    }
    Ok(records)
}

/// What is wrong with the first file that is no longer as it was recorded.
///
/// A file of the same size and time is taken to be the same; with another time its digest decides.
pub(crate) fn flaw(folder: &Path, records: &[Record]) -> Option<String> {
    records.iter().find_map(|record| {
        let path = folder.join(&record.path);
        let problem = match fs::metadata(&path) {
            Err(_) => "is missing",
            Ok(found) if found.len() != record.bytes => "has another size than when it was written",
            Ok(found) if modified(&found) == record.modified => return None,
            Ok(_) if record.sha256.is_some() && sha256_file(&path).ok() == record.sha256 => {
                return None;
            }
            Ok(_) => "was changed since it was written",
        };
        Some(format!("{} {problem}", path.display()))
    })
}

/// What is wrong if one of these files or folders is not there.
pub(crate) fn missing(folder: &Path, outputs: &[PathBuf]) -> Option<String> {
    let mut paths = outputs.iter().map(|output| folder.join(output));
    let path = paths.find(|path| !path.exists())?;
    Some(format!("{} is missing", path.display()))
}

/// Bytes that the files of `outputs` take now.
pub(crate) fn bytes(folder: &Path, outputs: &[PathBuf]) -> u64 {
    let found = files(folder, outputs).into_iter();
    found.map(|(_, metadata)| metadata.len()).sum()
}

fn files(folder: &Path, outputs: &[PathBuf]) -> Vec<(PathBuf, Metadata)> {
    let mut found = Vec::new();
    let mut open = outputs.to_vec();
    while let Some(path) = open.pop() {
        let place = folder.join(&path);
        let Ok(metadata) = fs::metadata(&place) else {
            continue;
        };
        if !metadata.is_dir() {
            found.push((path, metadata));
            continue;
        }
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with('.') {
                open.push(path.join(name));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn modified(metadata: &Metadata) -> u64 {
    let time = metadata.modified().ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_cut_and_missing_files_are_flaws_and_touched_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out/a/x");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "four").unwrap();
        fs::write(folder.path().join("out").join(NEWEST), "state").unwrap();
        let outputs = [PathBuf::from("out")];
        let records = record(folder.path(), &outputs, false).unwrap();
        let own = record(folder.path(), &outputs, true).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(bytes(folder.path(), &outputs), 9);
        let flaw = |records: &[Record]| flaw(folder.path(), records);
        assert_eq!(flaw(&records), None);

        let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
        fs::File::options()
            .write(true)
            .open(&file)
            .and_then(|open| open.set_modified(later))
            .unwrap();
        assert_eq!(flaw(&records), None);
        assert!(
            flaw(&own)
                .unwrap()
                .ends_with("was changed since it was written")
        );
        fs::write(&file, "five").unwrap();
        assert!(flaw(&records).unwrap().contains("was changed"));
        fs::write(&file, "cut").unwrap();
        assert!(flaw(&records).unwrap().contains("another size"));
        fs::remove_file(&file).unwrap();
        assert!(flaw(&records).unwrap().ends_with("out/a/x is missing"));
    }
}
