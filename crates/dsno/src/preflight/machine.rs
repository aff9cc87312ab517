//! What the machine has left.

use std::path::Path;

use super::Needs;
use crate::space::{bytes, existing, free_disk_bytes, free_memory_bytes};

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
