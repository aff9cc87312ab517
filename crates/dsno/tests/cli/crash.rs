//! Runs that are disturbed at random moments of all their stages, by signals, closed pipes, a full disk
//! and a folder that cannot be written: the same command goes on, and the end has the same bits.
//!
//! `DSNO_DISTURBANCES` says how many there are of the first three kinds; a few if it is not set.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::end_to_end::{Draws, TINY, arguments};
use crate::program::{answer, call, dsno, project, text};
use crate::restart::same_as_undisturbed;

/// Disturbances of an ordinary test run; it takes some ten seconds.
const FEW: usize = 12;
/// The longest time until a disturbance, in milliseconds; the tiny run takes about twice as long.
const LONGEST: u64 = 1500;

#[derive(Debug, Clone, Copy)]
enum Disturbance {
    Signal(&'static str),
    /// Whoever reads what the run says goes away.
    ClosedPipes,
}

const DISTURBANCES: [Disturbance; 6] = [
    Disturbance::Signal("KILL"),
    Disturbance::Signal("TERM"),
    Disturbance::ClosedPipes,
    Disturbance::Signal("KILL"),
    Disturbance::Signal("HUP"),
    Disturbance::Signal("INT"),
];

fn start(out: &Path) -> Child {
    dsno(&arguments(out, &[]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets the run work for a while and disturbs it; whether it came to its end nevertheless.
#[track_caller]
fn disturb(out: &Path, how: Disturbance, after: Duration) -> bool {
    let mut child = start(out);
    match how {
        Disturbance::Signal(name) => {
            std::thread::sleep(after);
            let kill = ["-s", name, &child.id().to_string()].map(str::to_owned);
            let _has_ended = Command::new("kill")
                .args(kill)
                .stderr(Stdio::null())
                .status();
            let ended = answer(&child.wait_with_output().unwrap());
            assert!(!ended.err.contains("panicked"), "{how:?}: {}", ended.err);
            // The default of a signal ends it without a code, before it listens.
            let codes = [None, Some(0), Some(1)];
            assert!(codes.contains(&ended.code), "{how:?}: {}", ended.err);
            ended.code == Some(0)
        }
        Disturbance::ClosedPipes => {
            drop(child.stdout.take());
            let mut said = BufReader::new(child.stderr.take().unwrap());
            let _ = said.read_line(&mut String::new());
            drop(said);
            // Nothing it says is read any more, and it goes on to its end.
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(0), "{how:?}");
            true
        }
    }
}

#[test]
fn a_run_disturbed_at_random_moments_ends_in_the_same_bits() {
    let asked = std::env::var("DSNO_DISTURBANCES").ok();
    let count = asked.and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let mut draws = Draws::new(7);
    let mut folder = tempfile::tempdir().unwrap();
    let mut runs = 0;
    for index in 0..count {
        let how = DISTURBANCES[index % DISTURBANCES.len()];
        let after = Duration::from_millis(draws.below(LONGEST));
        if disturb(folder.path(), how, after) {
            same_as_undisturbed(folder.path());
            folder = tempfile::tempdir().unwrap();
            runs += 1;
        }
    }
    call(&arguments(folder.path(), &[])).succeeded();
    same_as_undisturbed(folder.path());
    eprintln!("{count} disturbances in {} runs", runs + 1);
}

/// Runs a script where it may mount, if this system lets it.
fn with_mounts(script: &str, arguments: &[&str]) -> Option<std::process::Output> {
    let may = Command::new("unshare").args(["-rm", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", script, "sh"])
        .args(arguments);
    Some(command.current_dir(project()).output().unwrap())
}

/// The program and the tiny experiment, as words of a script.
fn run_in(out: &Path) -> String {
    let settings = TINY.join(" ");
    let program = env!("CARGO_BIN_EXE_dsno");
    format!(
        "{program} experiment mini/fashion --out {} {settings}",
        out.display()
    )
}

#[test]
fn a_disk_that_fills_up_at_any_moment_costs_nothing_but_time() {
    let home = tempfile::tempdir().unwrap();
    let [disk, kept] = ["disk", "kept"].map(|name| home.path().join(name));
    std::fs::create_dir(&disk).unwrap();
    std::fs::create_dir(&kept).unwrap();
    let run = run_in(&disk);
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs {disk} || exit 77
         for wait in 0.2 0.5 0.9 1.4; do
           {run} >>{kept}/log 2>&1 & run=$!
           sleep $wait
           cat /dev/zero >{disk}/filler 2>/dev/null
           wait $run && break
           echo failed >>{kept}/failures
           rm {disk}/filler
         done
         rm -f {disk}/filler
         {run} >>{kept}/log 2>&1 || exit 1
         cp -r {disk}/mini-fashion {kept}",
        disk = disk.display(),
        kept = kept.display()
    );
    let Some(output) = with_mounts(&script, &[]) else {
        return;
    };
    let log = std::fs::read_to_string(kept.join("log")).unwrap_or_default();
    if output.status.code() == Some(77) {
        eprintln!("skipped: no tmpfs here");
        return;
    }
    assert!(
        output.status.success() && !log.contains("panicked"),
        "{log}"
    );
    let failures = std::fs::read_to_string(kept.join("failures")).unwrap_or_default();
    assert!(!failures.is_empty(), "the disk was never full: {log}");
    same_as_undisturbed(&kept);
}

/// Only what is left to do needs room.
#[test]
fn a_nearly_full_disk_is_enough_for_the_pictures_that_are_left() {
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs {disk} || exit 77
         {run} 2>&1 || exit 1
         rm -r {disk}/mini-fashion/samples
         free=$(df -k --output=avail {disk} | tail -1)
         head -c $(((free - 1000) * 1024)) /dev/zero >{disk}/filler
         {run} 2>&1 && ls {disk}/mini-fashion/samples/dsno.png",
        disk = disk.display(),
        run = run_in(&disk)
    );
    let Some(output) = with_mounts(&script, &[]) else {
        return;
    };
    if output.status.code() == Some(77) {
        eprintln!("skipped: no tmpfs here");
        return;
    }
    answer(&output).succeeded();
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("runs");
    std::fs::create_dir(&out).unwrap();
    let script = format!(
        "mount --bind {out} {out} && mount -o remount,ro,bind {out} || exit 77\n{}",
        run_in(&out),
        out = out.display()
    );
    let Some(output) = with_mounts(&script, &[]) else {
        return;
    };
    if output.status.code() == Some(77) {
        eprintln!("skipped: no bind mounts here");
        return;
    }
    answer(&output).failed(3, &["run folder", &text(&out), "--out DIR"]);
    call(&arguments(&out, &[])).succeeded();
    same_as_undisturbed(&out);
}
