//! SHA-256 of files and bytes, as lower-case hexadecimal.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Digests bytes.
///
/// ```
/// let empty = dsno_checkpoint::digest::sha256_bytes(b"");
/// assert!(empty.starts_with("e3b0c44298fc1c14"));
/// assert_eq!(empty.len(), 64);
/// ```
pub fn sha256_bytes(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// Digests a file in blocks, so that its size does not matter.
///
/// # Errors
///
/// The system's error if the file cannot be read; the caller knows the path and adds it.
pub fn sha256_file(path: impl AsRef<Path>) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(to_hex(&hasher.finalize()))
}

/// Writes bytes as lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    nibbles
        .map(|n| char::from(DIGITS[usize::from(n)]))
        .collect()
}
