//! Where the bytes of a data file come from: plain or gzip, read without trusting any header.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::DataError;

/// Returns the spelling of `path` that exists: as given, or with `.gz` added or removed.
pub(crate) fn locate(path: &Path) -> Result<PathBuf, DataError> {
    let other = if is_gzip(path) {
        path.with_extension("")
    } else {
        let mut name = path.as_os_str().to_owned();
        name.push(".gz");
        PathBuf::from(name)
    };
    let found = [path.to_path_buf(), other]
        .into_iter()
        .find(|candidate| candidate.exists());
    found.ok_or_else(|| missing(path))
}

/// The error for a file that no specification explains.
pub(crate) fn missing(path: &Path) -> DataError {
    let set = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let obtain = "check the path".to_owned();
    DataError::MissingFile {
        set,
        path: path.to_path_buf(),
        obtain,
    }
}

/// Opens a file and decompresses it if its name ends in `.gz`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let file = File::open(path).map_err(|source| read_error(path, source))?;
    let file = BufReader::new(file);
    Ok(if is_gzip(path) {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

/// Reads at most `limit` bytes.
pub(crate) fn read_up_to(
    source: &mut impl Read,
    path: &Path,
    limit: u64,
) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let read = source.take(limit).read_to_end(&mut bytes);
    read.map_err(|source| read_error(path, source))?;
    Ok(bytes)
}

pub(crate) fn read_error(path: &Path, source: std::io::Error) -> DataError {
    DataError::Read {
        path: path.to_path_buf(),
        source,
    }
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}
