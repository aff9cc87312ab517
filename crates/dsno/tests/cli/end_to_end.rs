//! A tiny run from images to report, and what a second call does.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{call, contents, text};

/// Settings that make `mini/fashion` smaller still.
pub(crate) const TINY: [&str; 12] = [
    "--set",
    "teacher.recipe.total_images=96",
    "--set",
    "teacher.recipe.checkpoint_images=32",
    "--set",
    "collect.trajectories=48",
    "--set",
    "collect.shard_trajectories=16",
    "--set",
    "distill.total_images=96",
    "--set",
    "distill.checkpoint_images=32",
];

/// Runs the tiny experiment into a folder.
pub(crate) fn arguments(out: &Path, more: &[&str]) -> Vec<String> {
    let out = text(out);
    let start = ["experiment", "mini/fashion", "--out", &out];
    [&start[..], &TINY, more]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One finished run, shared by all tests; nobody changes it.
pub(crate) fn finished() -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let out = std::env::temp_dir().join(format!("dsno-cli-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&out);
        call(&arguments(&out, &[])).succeeded();
        out
    })
}

fn report(out: &Path) -> Value {
    let bytes = std::fs::read(out.join("mini-fashion/report.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn skipped(json: &Value) -> Vec<(String, bool)> {
    let stage = |s: &Value| {
        (
            s["name"].as_str().unwrap().to_owned(),
            s["skipped"].as_bool().unwrap(),
        )
    };
    json["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(stage)
        .collect()
}

/// A copy of the finished run, with the times of its files.
pub(crate) fn copied(to: &Path) {
    for (path, bytes) in contents(finished(), &|_| true) {
        let target = to.join(&path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(&target, bytes).unwrap();
        let written = std::fs::metadata(finished().join(path)).unwrap().modified();
        let file = std::fs::File::options().write(true).open(target).unwrap();
        file.set_modified(written.unwrap()).unwrap();
    }
}

#[test]
fn a_run_ends_in_a_report() {
    let out = finished();
    let json = report(out);
    assert_eq!(json["experiment"], "mini-fashion");
    assert_eq!(
        (&json["seed"], &json["device"]),
        (&7.into(), &"flex".into())
    );
    let names: Vec<&str> = json["samplers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["teacher-ddim-4-quadratic", "dsno", "no-temporal", "data"]
    );
    for sampler in json["samplers"].as_array().unwrap() {
        let name = sampler["name"].as_str().unwrap();
        assert!(
            sampler["images_per_second"].as_f64().unwrap() > 0.0,
            "{name}"
        );
        assert!(sampler["latency_seconds"].as_f64().unwrap() > 0.0, "{name}");
        assert!(
            sampler["frechet"]["value"].as_f64().unwrap() > 0.0,
            "{name}"
        );
        assert_eq!(sampler["frechet"]["samples"], 100, "{name}");
        assert_eq!(
            sampler["frechet"]["seeds"].as_array().unwrap().len(),
            2,
            "{name}"
        );
        assert_eq!(sampler["paired"].is_null(), name == "data", "{name}");
    }
    let dsno = &json["samplers"][1];
    assert_eq!(dsno["nfe"], 1);
    assert!(
        (4.0..5.0).contains(&dsno["unet_passes"].as_f64().unwrap()),
        "{dsno}"
    );
    assert_eq!(json["samplers"][2]["nfe"], 1);
    let page = std::fs::read_to_string(out.join("mini-fashion/report.html")).unwrap();
    for part in [
        "not FID",
        "data:image/png;base64,",
        "<svg",
        "Provenance",
        "no-temporal",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http"), "the page must need nothing else");
    for file in [
        "experiment.toml",
        "provenance.json",
        "distill/metrics.jsonl",
        "samples/strips.png",
        "tensorboard/dsno/events.out.tfevents.0.dsno",
    ] {
        assert!(out.join("mini-fashion").join(file).is_file(), "{file}");
    }
}

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let out = finished();
    let before = contents(out, &|_| true);
    let started = Instant::now();
    let answer = call(&arguments(out, &[])).succeeded();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert!(answer.out.contains("nothing to do"), "{}", answer.out);
    assert!(before == contents(out, &|_| true), "a file changed");
    let json = call(&arguments(out, &["--json"])).json();
    assert!(skipped(&json).iter().all(|(_, skipped)| *skipped), "{json}");
}

#[test]
fn a_change_runs_only_what_depends_on_it() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    let change = [
        "--set",
        "distill.ema_half_life_images=40",
        "--replace",
        "--json",
    ];
    let json = call(&arguments(folder.path(), &change)).succeeded().json();
    let expected = [
        ("teacher", true),
        ("collect", true),
        ("distill", false),
        ("distill-no-temporal", false),
        ("sample", false),
        ("evaluate", false),
        ("report", false),
    ];
    let found = skipped(&json);
    assert_eq!(
        found,
        expected.map(|(name, skipped)| (name.to_owned(), skipped))
    );
    let (old, new) = (report(finished()), report(folder.path()));
    assert_eq!(
        old["samplers"][0], new["samplers"][0],
        "the teacher was measured again"
    );
    assert_ne!(old["samplers"][1]["frechet"], new["samplers"][1]["frechet"]);
}

#[test]
fn the_same_experiment_gives_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    call(&arguments(folder.path(), &[])).succeeded();
    let lasting = |path: &Path| is_result(path);
    let (a, b) = (
        contents(finished(), &lasting),
        contents(folder.path(), &lasting),
    );
    assert!(a.len() >= 5, "{}", a.len());
    assert!(a == b, "two runs differ");
    assert_eq!(figures(finished()), figures(folder.path()));
}

/// The measured figures of a run, those of speed apart.
pub(crate) fn figures(out: &Path) -> Vec<[Value; 3]> {
    let json = report(out);
    let samplers = json["samplers"].as_array().unwrap();
    let figures = |s: &Value| ["name", "frechet", "paired"].map(|key| s[key].clone());
    samplers.iter().map(figures).collect()
}

/// Weights, trajectories and samples: what must not depend on when or how often a run was stopped.
pub(crate) fn is_result(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains("/model/") || name.contains("/samples/") || name.contains("/trajectories/")
}

#[test]
fn a_report_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path());
    std::fs::remove_file(folder.path().join("mini-fashion/report.html")).unwrap();
    let out = text(folder.path());
    let start = ["report", "mini/fashion", "--out", &out];
    call(&[&start[..], &TINY].concat()).succeeded();
    assert!(folder.path().join("mini-fashion/report.html").is_file());
}
