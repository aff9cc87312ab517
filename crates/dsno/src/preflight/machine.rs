//! What the machine has left.

use std::path::Path;

use super::Needs;

/// Checks that disk and memory suffice and that the run folder can be written.
pub(super) fn check(needs: &mut Needs, folder: &Path) {
    let (disk, memory) = (needs.disk_bytes, needs.memory_bytes);
    if let Some(free) = free_disk_bytes(folder)
        && free < disk
    {
        let problem = format!("about {} needed, {} free", bytes(disk), bytes(free));
        let remedy =
            "free some space, give another disk with `--out DIR`, or lower `collect.trajectories`";
        needs.unmet("disk", problem, remedy);
    }
    if let Some(problem) = not_writable(folder) {
        let remedy = "give a folder that can be written with `--out DIR`";
        needs.unmet("run folder", problem, remedy);
    }
    if let Some(free) = free_memory_bytes()
        && free < memory
    {
        let (needed, free) = (bytes(memory), bytes(free));
        let problem = format!("at least {needed} needed, {free} available");
        needs.unmet("memory", problem, "use a machine with more memory");
    }
}

/// A number of bytes for people.
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// Bytes that may still be written to the disk of a folder, which need not exist yet.
fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(existing(folder)).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes of memory that programs may still take; known on Linux only.
fn free_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Why nothing can be written at a folder, which need not exist yet.
fn not_writable(folder: &Path) -> Option<String> {
    let found = existing(folder);
    if !found.is_dir() {
        return Some(format!("{} is a file, expected a folder", found.display()));
    }
    let access = rustix::fs::Access::WRITE_OK;
    rustix::fs::access(found, access)
        .err()
        .map(|error| format!("{} cannot be written: {error}", found.display()))
}

/// The nearest folder at or above `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|p| !p.as_os_str().is_empty() && p.exists())
        .unwrap_or(Path::new("."))
}
