//! Where the bytes of a data file come from: plain or gzip, read without trusting any header.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use dsno_checkpoint::digest::to_hex;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::error::DataError;

/// Returns the spelling of `path` that exists: as given, or with `.gz` added or removed.
pub(crate) fn locate(path: &Path) -> Result<PathBuf, DataError> {
    let other = if path.extension().is_some_and(|extension| extension == "gz") {
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

/// The content of a file.
pub(crate) struct Source {
    content: Box<dyn Read>,
    /// Length of the file.
    bytes: u64,
    /// Length of the content, if it need not be decompressed.
    pub(crate) plain_bytes: Option<u64>,
}

impl Source {
    /// Bytes that the content can have at most; deflate makes at most 1032 of one.
    pub(crate) fn most_bytes(&self) -> u64 {
        self.plain_bytes.unwrap_or(self.bytes.saturating_mul(1032))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

/// Opens a file and decompresses it if it begins as gzip does, whatever its name.
pub(crate) fn open(path: &Path) -> Result<Source, DataError> {
    let failed = |source| read_error(path, source);
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut file = BufReader::new(file);
    let gzip = file.fill_buf().map_err(failed)?.starts_with(b"\x1f\x8b");
    Ok(Source {
        content: if gzip {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        },
        bytes,
        plain_bytes: (!gzip).then_some(bytes),
    })
}

/// SHA-256 and length of the content, of at most so many bytes.
pub(crate) fn digest(path: &Path, limit: u64) -> Result<(String, u64), DataError> {
    let mut hasher = Sha256::new();
    let mut content = open(path)?.take(limit);
    let copied = io::copy(&mut content, &mut hasher);
    let bytes = copied.map_err(|source| read_error(path, source))?;
    Ok((to_hex(&hasher.finalize()), bytes))
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

pub(crate) fn read_error(path: &Path, source: io::Error) -> DataError {
    DataError::Read {
        path: path.to_path_buf(),
        source,
    }
}
