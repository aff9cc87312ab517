//! Every experiment file of the project, without running it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{call, changed, project, text};

fn names() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "mini/"] {
        for entry in std::fs::read_dir(project().join("experiments").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                names.push(format!(
                    "{folder}{}",
                    path.file_stem().unwrap().to_str().unwrap()
                ));
            }
        }
    }
    names
}

#[test]
fn every_experiment_resolves_and_plans() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("runs"));
    let names = names();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let answer = call(&["experiment", &name, "--dry-run", "--out", &out]).succeeded();
        assert!(answer.out.contains("# Plan"), "{name}: {}", answer.out);
        let json = call(&["experiment", &name, "--dry-run", "--json", "--out", &out]).json();
        assert!(json["plan"].as_array().unwrap().len() >= 2, "{name}");
    }
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn every_paper_run_has_a_twin() {
    for name in ["cifar10", "imagenet64", "fashion"] {
        let json = call(&["experiment", name, "--dry-run", "--json"])
            .succeeded()
            .json();
        let twin = json["experiment"]["mini"].as_str().unwrap().to_owned();
        call(&["experiment", &twin, "--dry-run"]).succeeded();
    }
}

#[test]
fn overrides_are_applied_and_recorded() {
    let arguments = ["experiment", "mini/fashion", "--dry-run", "--seed", "99"];
    let answer = call(&[&arguments[..], &["--set", "distill.batch_size=4"]].concat()).succeeded();
    assert!(
        answer.out.contains("# --set distill.batch_size = 4"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("\nseed = 99"), "{}", answer.out);
}

#[test]
fn earlier_names_of_keys_make_the_same_plan_with_a_line_of_notice_each() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        ("microbatches = 2", "shards = 2"),
        ("microbatches = 2", "shards = 2"),
        ("dtype = \"f32\"", "precision = \"f32\""),
    ];
    let earlier = changed(folder.path(), "mini/fashion", &names);
    let plan = |file: &str, more: &[&str]| {
        call(&[&["experiment", file, "--dry-run", "--json"], more].concat()).succeeded()
    };
    let (found, expected) = (plan(&earlier, &[]), plan("mini/fashion", &[]));
    for key in [
        "teacher.recipe.microbatches",
        "collect.dtype",
        "distill.microbatches",
    ] {
        let notice = format!("is now called `{key}`");
        assert_eq!(found.err.matches(&notice).count(), 1, "{}", found.err);
    }
    assert!(!expected.err.contains("now called"), "{}", expected.err);
    assert_eq!(found.json()["plan"], expected.json()["plan"]);

    let [earlier, today] = ["distill.shards=4", "distill.microbatches=4"]
        .map(|change| plan("mini/fashion", &["--set", change]).json());
    assert_eq!(earlier["plan"], today["plan"]);
    assert_ne!(earlier["plan"], expected.json()["plan"]);
}

#[test]
fn recipes_name_a_pseudo_huber_distance_of_any_width() {
    let set = |distance: &str| {
        let change = format!("distill.distance={distance}");
        call(&[
            "experiment",
            "mini/fashion",
            "--dry-run",
            "--json",
            "--set",
            &change,
        ])
    };
    let plans = [
        "{ kind = \"pseudo-huber\", c = 0.03 }",
        "{ kind = \"pseudo-huber\", c = 0.3 }",
    ]
    .map(|distance| set(distance).succeeded().json());
    assert_ne!(plans[0]["plan"], plans[1]["plan"]);
    set("{ kind = \"pseudo-huber\", c = 0 }").failed(2, &["distance.c", "a positive number"]);
    set("{ kind = \"hubert\" }").failed(2, &["hubert", "pseudo-huber", "distill"]);
}

#[test]
fn paper_runs_stop_at_preflight_and_write_nothing() {
    for name in ["cifar10", "imagenet64"] {
        let folder = tempfile::tempdir().unwrap();
        let out = text(&folder.path().join("runs"));
        let started = Instant::now();
        let answer = call(&["experiment", name, "--out", &out]);
        let elapsed = started.elapsed();
        let twin = format!("dsno experiment mini/{name}");
        answer.failed(
            3,
            &["teacher", "images of", "Inception", "reference", &twin],
        );
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
        assert!(!folder.path().join("runs").exists());
    }
}

/// The keys of an experiment's stages, by name.
fn keys(name: &str, more: &[&str]) -> Vec<(String, String)> {
    let json = call(&[&["experiment", name, "--dry-run", "--json"], more].concat()).json();
    let step = |s: &Value| ["stage", "key"].map(|key| s[key].as_str().unwrap().to_owned());
    let plan = json["plan"].as_array().unwrap().iter();
    plan.map(step).map(|[name, key]| (name, key)).collect()
}

#[test]
fn a_student_depends_on_the_network_that_its_loss_compares_with() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("vgg16.safetensors");
    let distance = format!("distill.distance={{kind=\"vgg16-features\",weights={weights:?}}}");
    let with = |bytes: &str| {
        std::fs::write(&weights, bytes).unwrap();
        keys("mini/fashion", &["--set", &distance])
    };
    let (one, other) = (with("one"), with("other"));
    let changed: Vec<&str> = one
        .iter()
        .zip(&other)
        .filter(|(a, b)| a != b)
        .map(|(a, _)| a.0.as_str())
        .collect();
    let students = ["distill", "distill-no-temporal"];
    assert_eq!(changed[..2], students, "and what comes after them");
    let out = text(&folder.path().join("runs"));
    let run = [
        "experiment",
        "mini/fashion",
        "--out",
        &out,
        "--set",
        &distance,
    ];
    let answer = call(&run).failed(3, &["VGG-16", "distill.distance=l1", "1 need is not met"]);
    assert_eq!(answer.err.matches("VGG-16").count(), 1, "{}", answer.err);
}

/// Keys of the program before stages had files; runs that it made are still done.
#[test]
fn keys_are_those_of_earlier_versions() {
    let expected = [
        ("teacher", "fc65d2c7a35f"),
        ("collect", "9a59e5cad48d"),
        ("distill", "25373874efe7"),
        ("distill-no-temporal", "e7696a256660"),
        ("sample", "e0e16d97c627"),
        ("evaluate", "822abc7526ac"),
        ("report", "819964d76d1b"),
    ];
    let found = keys("mini/fashion", &[]);
    assert_eq!(
        found,
        expected.map(|(name, key)| (name.to_owned(), key.to_owned()))
    );
}

#[test]
fn an_unknown_experiment_lists_those_there_are() {
    call(&["experiment", "fashon"]).failed(2, &["fashon", "fashion", "mini/cifar10"]);
}

#[test]
fn lists_are_for_people_and_programs() {
    call(&["devices"]).succeeded();
    let devices = call(&["devices", "--json"]).succeeded().json();
    assert!(
        devices
            .as_array()
            .unwrap()
            .iter()
            .any(|d| d["device"] == "cuda")
    );
    call(&["datasets"]).succeeded();
    let sets = call(&["datasets", "--json"]).succeeded().json();
    assert!(
        sets.as_array()
            .unwrap()
            .iter()
            .any(|s| s["name"] == "fashion-mnist")
    );
}
