//! Runs that are killed, damaged or out of disk.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::end_to_end::{TINY, arguments, copied, figures, finished, is_result};
use crate::program::{answer, call, contents, dsno, project, text};

#[track_caller]
pub(crate) fn same_as_undisturbed(out: &Path) {
    let expected = contents(finished(), &|path| is_result(path));
    let found = contents(out, &|path| is_result(path));
    let names = |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<_> {
        files.iter().map(|(path, _)| path.clone()).collect()
    };
    assert_eq!(names(&found), names(&expected));
    for ((path, a), (_, b)) in found.iter().zip(&expected) {
        assert!(a == b, "{} differs", path.display());
    }
    assert_eq!(figures(out), figures(finished()));
}

/// Starts the run again and again, kills it later each time, and lets it finish at last.
#[test]
fn a_killed_run_ends_in_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut kills = 0;
    for attempt in 0..40_u64 {
        let mut command = dsno(&arguments(folder.path(), &[]));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + 45 * attempt));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "the run was too fast to be killed");
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}

/// Ctrl-C during distillation leaves a checkpoint, and the next call goes on from it.
#[cfg(unix)]
#[test]
fn an_interrupted_run_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = dsno(&arguments(folder.path(), &[]));
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let stopped = answer(&child.wait_with_output().unwrap());
    if stopped.code != Some(0) {
        stopped.failed(1, &["stopped at your request", "continues"]);
    }
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("mini-fashion");
    fs::create_dir_all(&run).unwrap();
    let lock = fs::File::create(run.join(".lock")).unwrap();
    lock.lock().unwrap();
    call(&arguments(folder.path(), &[])).failed(1, &["another process"]);
}

#[test]
fn a_damaged_shard_is_collected_again() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    let run = folder.path().join("mini-fashion");
    let largest = contents(&run.join("trajectories"), &|_| true)
        .into_iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    let mut bytes = largest.1;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(run.join("trajectories").join(largest.0), bytes).unwrap();
    fs::remove_dir_all(run.join("distill")).unwrap();
    let answer = call(&arguments(folder.path(), &[])).succeeded();
    assert!(answer.err.contains("1 of the shards"), "{}", answer.err);
    same_as_undisturbed(folder.path());
}

/// What rots on the disk keeps its size and its time; the advice of the error is followed.
#[test]
fn a_shard_that_rotted_unnoticed_is_collected_as_the_error_says() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    let run = folder.path().join("mini-fashion");
    let shard = run.join("trajectories/states/c.1.0.0.0.0");
    let written = fs::metadata(&shard).unwrap().modified().unwrap();
    let mut bytes = fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&shard, bytes).unwrap();
    let file = fs::File::options().write(true).open(&shard).unwrap();
    file.set_modified(written).unwrap();
    fs::remove_dir_all(run.join("distill")).unwrap();
    let failed = call(&arguments(folder.path(), &[])).failed(1, &["shard 1", "damaged"]);
    let (_, advice) = failed.err.split_once("delete ").unwrap();
    let (row, _) = advice.split_once(',').unwrap();
    fs::remove_file(row).unwrap();
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}

#[test]
fn damaged_weights_are_named() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    let weights = folder
        .path()
        .join("mini-fashion/distill/model/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let model = text(weights.parent().unwrap());
    let png = text(&folder.path().join("png"));
    call(&["sample", "--model", &model, "--count", "1", "--png", &png])
        .failed(1, &["model.safetensors"]);
    assert!(!folder.path().join("png").exists());
}

#[test]
fn a_model_that_was_deleted_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    fs::remove_dir_all(folder.path().join("mini-fashion/distill/model")).unwrap();
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    let student = folder.path().join("mini-fashion/distill");
    fs::remove_dir_all(student.join("model")).unwrap();
    let checkpoint = student.join("checkpoint.safetensors");
    fs::write(&checkpoint, "half of a checkpoint").unwrap();
    call(&arguments(folder.path(), &[])).failed(1, &["checkpoint.safetensors", "delete"]);
    fs::remove_file(&checkpoint).unwrap();
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_leaves_a_run_that_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited = Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 24; exec \"$0\" \"$@\"";
    limited.args([
        "-c",
        script,
        env!("CARGO_BIN_EXE_dsno"),
        "experiment",
        "mini/fashion",
    ]);
    limited
        .args(["--out", &text(folder.path())])
        .args(TINY)
        .current_dir(project());
    answer(&limited.output().unwrap()).failed(1, &["write", "too large"]);
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
}
