//! What the machine has left.

use std::path::Path;

use dsno_model::TeacherArchitecture;
use dsno_train::StoreDtype;

use super::{Need, need};
use crate::experiment::Resolved;
use crate::folder::RunFolder;
use crate::plan::Plan;

/// Copies of the weights that training keeps: weights, gradients, two moments of Adam, the average.
const TRAINING_COPIES: u64 = 5;
/// Copies that end up on the disk: two checkpoints of four copies, and the result.
const STORED_COPIES: u64 = 9;

/// Checks that disk and memory suffice and that the run folder can be written.
pub(super) fn space(
    resolved: &Resolved,
    plan: &Plan,
    architecture: Option<&TeacherArchitecture>,
    folder: &RunFolder,
    needs: &mut Vec<Need>,
) {
    let experiment = &resolved.experiment;
    let pixels = (plan.spec.channels * experiment.data.image_size.pow(2)) as u64;
    let parameters = architecture
        .and_then(|a| a.parameter_count().ok())
        .unwrap_or_default() as u64;
    let store = experiment.collect.as_ref().map_or(0, |recipe| {
        let bytes = match recipe.dtype {
            StoreDtype::F16 => 2,
            StoreDtype::F32 => 4,
        };
        recipe.trajectories * recipe.record.len() as u64 * pixels * bytes
    });
    let models = 1 + resolved.students.len() as u64;
    let kept = experiment.evaluate.as_ref().map_or(0, |settings| {
        (settings.paired * settings.seeds.len()) as u64 * pixels * 4
    });
    let disk = store + kept + parameters * 4 * STORED_COPIES * models;
    if let Some(free) = free_disk_bytes(folder.path())
        && free < disk
    {
        let problem = format!("about {} needed, {} free", bytes(disk), bytes(free));
        let remedy =
            "free some space, give another disk with `--out DIR`, or lower `collect.trajectories`";
        need(needs, "disk", problem, remedy.to_owned());
    }
    if let Some(problem) = not_writable(folder.path()) {
        let remedy = "give a folder that can be written with `--out DIR`";
        need(needs, "run folder", problem, remedy.to_owned());
    }
    let memory = parameters * 4 * TRAINING_COPIES;
    if let Some(free) = free_memory_bytes()
        && free < memory
    {
        let problem = format!(
            "at least {} needed, {} available",
            bytes(memory),
            bytes(free)
        );
        need(
            needs,
            "memory",
            problem,
            "use a machine with more memory".to_owned(),
        );
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
