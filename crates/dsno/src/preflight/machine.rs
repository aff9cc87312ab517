//! What the machine has left.

use std::path::Path;

use super::existing;

/// Bytes that may still be written to the disk of a folder, which need not exist yet.
pub(super) fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(existing(folder)).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes of memory that programs may still take; known on Linux only.
pub(super) fn free_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Why nothing can be written at a folder, which need not exist yet.
pub(super) fn not_writable(folder: &Path) -> Option<String> {
    let found = existing(folder);
    if !found.is_dir() {
        return Some(format!("{} is a file, expected a folder", found.display()));
    }
    let access = rustix::fs::Access::WRITE_OK;
    rustix::fs::access(found, access)
        .err()
        .map(|error| format!("{} cannot be written: {error}", found.display()))
}
