//! What is there is kept: changed settings, other experiments of the same name, removed files, signals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::end_to_end::{arguments, copied};
use crate::program::{answer, call, changed, contents, dsno, text};
use crate::restart::same_as_undisturbed;

const RUN: &str = "mini-fashion";

/// A copy of the finished run.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    copied(out.path());
    let run = out.path().join(RUN);
    (out, run)
}

fn models(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    contents(run, &|path| path.ends_with("model.safetensors"))
}

fn set(setting: &str) -> [&str; 2] {
    ["--set", setting]
}

#[test]
fn another_setting_deletes_nothing_unless_it_may() {
    let (out, run) = copy();
    let before = models(&run);
    let smaller = set("distill.total_images=64");
    let asked = call(&arguments(out.path(), &smaller));
    asked.failed(2, &["distill", "would be deleted", "--replace"]);
    assert!(models(&run) == before);

    let dry = call(&arguments(
        out.path(),
        &[&smaller[..], &["--dry-run"]].concat(),
    ))
    .succeeded();
    let lines = dry
        .out
        .lines()
        .filter(|line| line.contains("will be deleted"));
    let stages: Vec<&str> = lines
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    // The ablation has the same recipe; samples and figures are of the students.
    let expected = ["distill", "distill-no-temporal", "sample", "evaluate"];
    assert_eq!(stages, expected, "{}", dry.out);
    assert!(models(&run) == before);

    call(&arguments(
        out.path(),
        &[&smaller[..], &["--replace"]].concat(),
    ))
    .succeeded();
    assert!(models(&run) != before);
    // Allowed, and nothing is there to delete any more.
    call(&arguments(out.path(), &smaller)).succeeded();
}

#[test]
fn an_experiment_of_the_same_name_is_told_whose_run_it_would_delete() {
    let home = tempfile::tempdir().unwrap();
    let (out, run) = copy();
    let before = models(&run);
    let other = changed(
        home.path(),
        "mini/fashion",
        &[("base_channels = 8", "base_channels = 16")],
    );
    let answer = call(&["experiment", &other, "--out", &text(out.path())]);
    answer.failed(
        2,
        &[
            "experiments/mini/fashion.toml",
            "changed.toml",
            "another `name`",
        ],
    );
    assert!(models(&run) == before);
}

#[test]
fn settings_that_change_no_result_leave_it_alone() {
    let (out, run) = copy();
    let cosmetic = [
        set("teacher.recipe.log_images=48"),
        set("teacher.recipe.checkpoint_images=48"),
        set("distill.log_images=48"),
        set("collect.batch_size=8"),
    ];
    let answer = call(&arguments(out.path(), &cosmetic.concat())).succeeded();
    assert!(answer.out.contains("nothing to do"), "{}", answer.err);

    // Shards with another time are compared with their checksums, and all else is as it was.
    let shard = fs::File::options()
        .write(true)
        .open(run.join("trajectories/labels/c.0"));
    shard
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    let answer = call(&arguments(out.path(), &cosmetic.concat())).succeeded();
    assert_eq!(answer.err.matches("at work").count(), 1, "{}", answer.err);
    same_as_undisturbed(out.path());

    let about = set("about=\"other words\"");
    let answer = call(&arguments(
        out.path(),
        &[cosmetic.concat(), about.to_vec()].concat(),
    ));
    let answer = answer.succeeded();
    assert_eq!(answer.err.matches("at work").count(), 1, "{}", answer.err);
    let page = fs::read_to_string(out.path().join(RUN).join("report.html")).unwrap();
    assert!(page.contains("other words"));
}

#[test]
fn a_longer_training_goes_on_to_the_bits_of_one_that_was_long_at_once() {
    let [once, twice] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let teacher = |out: &Path, images: u32| {
        let images = format!("teacher.recipe.total_images={images}");
        let mut all = arguments(out, &set(&images));
        "teacher".clone_into(&mut all[0]);
        call(&all).succeeded()
    };
    teacher(once.path(), 192);
    teacher(twice.path(), 96);
    let longer = teacher(twice.path(), 192);
    assert!(longer.err.contains("continuing"), "{}", longer.err);
    let model = |out: &Path| models(&out.join(RUN));
    assert!(model(once.path()) == model(twice.path()));
}

#[test]
fn whatever_is_removed_or_damaged_is_made_again() {
    let (out, run) = copy();
    let cut = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    fs::remove_file(run.join("teacher/model/model.safetensors")).unwrap();
    cut(run.join("distill/model/model.safetensors"));
    for entry in fs::read_dir(run.join("samples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "png") {
            fs::remove_file(path).unwrap();
        }
    }
    let shards = contents(&run.join("trajectories/states"), &|path| {
        path.to_string_lossy().starts_with("c.")
    });
    let shard = |index: usize| run.join("trajectories/states").join(&shards[index].0);
    fs::remove_file(shard(0)).unwrap();
    cut(shard(1));
    let answer = call(&arguments(out.path(), &["--set", "collect.batch_size=16"])).succeeded();
    for flaw in [
        "model.safetensors is missing",
        "has another size",
        ".png is missing",
    ] {
        assert!(answer.err.contains(flaw), "{flaw}: {}", answer.err);
    }
    same_as_undisturbed(out.path());
    for name in ["teacher", "dsno", "data", "strips"] {
        assert!(
            run.join("samples").join(format!("{name}.png")).is_file(),
            "{name}"
        );
    }
}

/// Whatever the file alone decides is found before anything runs.
#[test]
fn settings_that_cannot_work_are_refused_before_hours_of_work() {
    let out = tempfile::tempdir().unwrap();
    let model = "evaluate.features={kind=\"classifier\",path=\"models/fashion-dsno\"}";
    for (setting, code, words) in [
        ("student.n_modes=99", 2, ["99", "times"]),
        (
            "evaluate.features={kind=\"pixels\",size=3}",
            2,
            ["3", "divisor of 16"],
        ),
        (model, 3, ["feature network", "classifier.toml"]),
        (
            "evaluate.samples=9000000000000",
            2,
            ["evaluate.samples", "a billion"],
        ),
        (
            "collect.batch_size=9000000000000",
            2,
            ["batch_size", "2^30"],
        ),
    ] {
        call(&arguments(out.path(), &set(setting))).failed(code, &words);
        let begun = fs::read_dir(out.path()).unwrap().next();
        assert!(begun.is_none(), "{setting}");
    }
}

#[test]
fn a_report_is_not_made_of_pictures_that_are_gone() {
    let (out, run) = copy();
    fs::remove_file(run.join("samples/dsno.png")).unwrap();
    let mut all = arguments(out.path(), &[]);
    "report".clone_into(&mut all[0]);
    call(&all).failed(3, &["no finished", "sample"]);
}

/// Starts a long training of the teacher and waits until it has begun.
#[cfg(unix)]
fn long_training(out: &Path) -> std::process::Child {
    let long = [
        set("teacher.recipe.total_images=600000"),
        set("teacher.recipe.checkpoint_images=600000"),
    ];
    let mut all = arguments(out, &long.concat());
    "teacher".clone_into(&mut all[0]);
    let child = dsno(&all)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let log = out.join(RUN).join("teacher/metrics.jsonl");
    let begun = Instant::now();
    while fs::metadata(&log).map_or(0, |found| found.len()) == 0 {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "it does not begin"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[cfg(unix)]
#[test]
fn signals_of_schedulers_and_closed_terminals_leave_a_checkpoint() {
    for signal in ["TERM", "HUP", "INT"] {
        let out = tempfile::tempdir().unwrap();
        let child = long_training(out.path());
        let id = child.id().to_string();
        Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .unwrap();
        let ended = answer(&child.wait_with_output().unwrap());
        ended.failed(1, &["stopped at your request", "continues"]);
        let checkpoint = out.path().join(RUN).join("teacher/checkpoint.safetensors");
        assert!(checkpoint.is_file(), "{signal}");
    }
}

/// The one thing that the message advises is done, and works.
#[cfg(unix)]
#[test]
fn a_damaged_checkpoint_has_one_remedy() {
    let out = tempfile::tempdir().unwrap();
    let child = long_training(out.path());
    Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status()
        .unwrap();
    child.wait_with_output().unwrap();
    let checkpoint = out.path().join(RUN).join("teacher/checkpoint.safetensors");
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &bytes[..5000]).unwrap();
    let mut all = arguments(out.path(), &set("teacher.recipe.total_images=600000"));
    "teacher".clone_into(&mut all[0]);
    let damaged = call(&all).failed(1, &["checkpoint.safetensors", "delete it"]);
    assert_eq!(damaged.err.matches("delete").count(), 1, "{}", damaged.err);
    fs::remove_file(&checkpoint).unwrap();
    all.push("--dry-run".to_owned());
    call(&all).succeeded();
    all.pop();
    let mut child = dsno(&all)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn full_logs_and_closed_pipes_never_stop_a_run() {
    let out = tempfile::tempdir().unwrap();
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let status = dsno(&arguments(out.path(), &[]))
        .stderr(full())
        .stdout(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    same_as_undisturbed(out.path());
    // A result that is lost is a failure; one that nobody wants to read is not.
    let status = dsno(&["datasets", "--json"])
        .stdout(full())
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let mut child = dsno(&["datasets"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.as_mut().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
