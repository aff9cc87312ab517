//! Data sets: what is read, what is refused before anything starts, what a run depends on.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::npy::{self, Values};
use dsno_data::{DatasetSpec, ImageSet};
use serde_json::Value;

use crate::program::{Answer, answer, dsno, project, text};

fn cases() -> PathBuf {
    project().join("tests/cases/data")
}

/// A project with copies of some sets of `tests/cases/data`, and an experiment of each one's name.
struct Project(tempfile::TempDir);

impl Project {
    fn new(experiment: &str, sets: &[&str]) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        let models = text(&crate::program::project().join("models"));
        let file = cases().join(format!("experiments/{experiment}.toml"));
        let experiment = fs::read_to_string(file).unwrap();
        let name = experiment.lines().next().unwrap().to_owned();
        let set = name.replace("name =", "set =");
        fs::create_dir(project.at("experiments")).unwrap();
        fs::create_dir(project.at("datasets")).unwrap();
        for other in sets {
            let spec = format!("datasets/{other}.toml");
            fs::copy(cases().join(&spec), project.at(&spec)).unwrap();
            copy(
                &cases().join("datasets").join(other),
                &project.at("datasets").join(other),
            );
            let spec = DatasetSpec::load(project.at(&spec)).unwrap();
            let text = experiment
                .replacen(&name, &format!("name = {other:?}"), 1)
                .replacen(&set, &format!("set = {other:?}"), 1)
                .replacen("classes = 0", &format!("classes = {}", spec.classes), 1)
                .replacen("path = \"models", &format!("path = \"{models}"), 1);
            fs::write(project.at(&format!("experiments/{other}.toml")), text).unwrap();
        }
        project
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn call(&self, arguments: &[&str]) -> Answer {
        self.call_with_cache(arguments, &self.at("cache"))
    }

    fn call_with_cache(&self, arguments: &[&str], cache: &Path) -> Answer {
        let mut command = dsno(arguments);
        command.current_dir(self.0.path()).env("DSNO_CACHE", cache);
        answer(&command.output().unwrap())
    }

    /// The key of the first stage.
    fn key(&self, experiment: &str, more: &[&str]) -> String {
        let arguments = [&["experiment", experiment, "--dry-run", "--json"], more].concat();
        let plan = self.call(&arguments).succeeded().json();
        plan["plan"][0]["key"].as_str().unwrap().to_owned()
    }

    /// A run that must end before anything is written.
    #[track_caller]
    fn refused(&self, experiment: &str, words: &[&str]) {
        let answer = self.call(&["experiment", experiment]);
        answer.failed(3, &[words, &["→", "1 need is not met"]].concat());
        assert!(
            !self.at("runs").exists(),
            "{experiment}: something was written"
        );
    }
}

/// Copies a folder, if it is there.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::create_dir_all(to).unwrap();
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn damaged_or_wrong_pictures_are_found_before_anything_starts() {
    let project = Project::new("load", &["late", "oddsize", "img28", "emptyset"]);
    project.refused("late", &["07.png", "replace"]);
    project.refused("oddsize", &["pixels, expected 16×16", "one size"]);
    project.refused("img28", &["28×28", "16×16", "pad_to"]);
    project.refused("emptyset", &["emptyset is not there", "data.root"]);
    fs::create_dir(project.at("datasets/emptyset")).unwrap();
    project.refused("emptyset", &["no images in", "emptyset"]);
}

#[test]
fn class_folders_that_are_not_the_classes_are_found_before_anything_starts() {
    let project = Project::new("train", &["pets", "partnested", "byname"]);
    project.refused("pets", &["[dog, cat]", "[cat, dog]", "pets.toml"]);
    project.refused("partnested", &["n03 has no pictures", "images"]);
    project.refused("byname", &["2 classes asked for, no sub-folders in "]);
}

#[test]
fn a_run_says_which_images_it_reads() {
    let project = Project::new("train", &["mixed", "numeric", "macosx", "good"]);
    let said = |name: &str, words: &[&str]| {
        let answer = project.call(&["teacher", name]).succeeded();
        for word in words {
            assert_eq!(
                answer.err.matches(word).count(),
                1,
                "{word}: {}",
                answer.err
            );
        }
    };
    said("mixed", &["mixed: 30 images\n"]);
    said("numeric", &["numeric: 36 images, 12 classes of 3\n"]);
    said("macosx", &["macosx: 16 images, 2 classes: cat 8, dog 8\n"]);
    fs::write(project.at("datasets/good/x.tiff"), "II*").unwrap();
    said(
        "good",
        &["good: 40 images\n", "1 picture is not read (1 tiff)"],
    );
}

#[test]
fn what_a_run_depends_on_is_the_content_of_its_images() {
    let project = Project::new("train", &["staleidx", "good"]);
    let at = |name: &str| project.at(&format!("datasets/{name}"));
    let idx = project.key("staleidx", &[]);
    assert_eq!(project.key("staleidx", &[]), idx);
    fs::copy(at("staleidx/im.other"), at("staleidx/im")).unwrap();
    let other = project.key("staleidx", &[]);
    fs::copy(at("staleidx/im.more"), at("staleidx/im")).unwrap();
    let more = project.key("staleidx", &[]);
    assert!(idx != other && idx != more && other != more);

    let folder = project.key("good", &[]);
    for name in [".DS_Store", "Thumbs.db", "notes.txt"] {
        fs::write(at("good").join(name), "no image").unwrap();
    }
    fs::create_dir(at("good/@eaDir")).unwrap();
    fs::copy(at("good/00.png"), at("good/@eaDir/00.png")).unwrap();
    let bytes = fs::read(at("good/00.png")).unwrap();
    fs::write(at("good/00.png"), bytes).unwrap();
    assert_eq!(project.key("good", &[]), folder);
    let other = cases().join("datasets/macosx/dog/0.png");
    fs::copy(other, at("good/00.png")).unwrap();
    assert_ne!(project.key("good", &[]), folder);
    fs::remove_dir_all(at("good")).unwrap();
    assert_ne!(project.key("good", &[]), folder);
}

#[test]
fn a_cache_is_used_if_it_can_be() {
    let project = Project::new("train", &["good"]);
    // Files that have not changed for a while are those of the repository.
    let root = format!("data.root={}", text(&cases().join("datasets")));
    let key = || project.key("good", &["--set", &root]);
    let cache = project.at("cache/datasets.json");
    let first = key();
    let entries = || serde_json::from_slice::<Value>(&fs::read(&cache).unwrap()).unwrap();
    assert_eq!(entries().as_array().unwrap().len(), 1);
    assert_eq!(key(), first);
    // It is what answers: another content in it gives another key.
    let content = entries()[0]["content"].as_str().unwrap().to_owned();
    let forged = fs::read_to_string(&cache)
        .unwrap()
        .replace(&content, "forged");
    fs::write(&cache, forged).unwrap();
    assert_ne!(key(), first);
    fs::write(&cache, "no JSON").unwrap();
    assert_eq!(key(), first);
    let arguments = ["experiment", "good", "--dry-run", "--set", &root];
    let no_folder = project.at("experiments/good.toml");
    project.call_with_cache(&arguments, &no_folder).succeeded();
}

#[test]
fn an_experiment_has_several_names() {
    let project = Project::new("train", &["good"]);
    let elsewhere = text(&project.at("experiments/good"));
    for name in [
        "good",
        "good.toml",
        "experiments/good",
        "experiments/good.toml",
        "./experiments/good",
        &elsewhere,
    ] {
        project.call(&["experiment", name, "--dry-run"]).succeeded();
    }
    project
        .call(&["experiment", "experiments", "--dry-run"])
        .failed(2, &["good"]);
}

#[test]
fn one_bad_specification_does_not_end_the_list() {
    let project = Project::new("train", &["good", "pets", "emptyset", "macosx"]);
    fs::write(project.at("datasets/bad.toml"), "name = 1\n").unwrap();
    let list = project.call(&["datasets"]).succeeded().out;
    let line = |name: &str| {
        let line = list
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in: {list}"))
    };
    assert!(line("bad").contains("error: ") && line("bad").contains("bad.toml"));
    assert!(line("good").ends_with(" 40 images"));
    assert!(line("macosx").ends_with("16 images, 2 classes: cat 8, dog 8"));
    assert!(line("emptyset").contains("missing: "));
    assert!(line("pets").contains("error: class_names"));
    let list = project.call(&["datasets", "--json"]).succeeded().json();
    let entry = |name: &str| list.as_array().unwrap().iter().find(|e| e["name"] == name);
    assert!(entry("bad").unwrap()["error"].is_string());
    assert_eq!(entry("good").unwrap()["images"], 40);
    assert_eq!(entry("macosx").unwrap()["classes"][1]["images"], 8);
}

#[test]
fn exported_pictures_are_those_that_are_read() {
    let project = Project::new("train", &["formats", "macosx", "numeric", "good"]);
    let export = |name: &str, more: &[&str]| {
        let answer = project.call(&[&["datasets", "export", name, name], more].concat());
        (answer.succeeded().out, project.at(name))
    };
    let (said, folder) = export("formats", &[]);
    assert_eq!(said, "formats: 16 images, in formats\n");
    let expected = npy::read_npz(cases().join("expected.npz")).unwrap();
    let Values::U8(expected) = &expected["formats"].values else {
        panic!("no bytes");
    };
    let images = ImageSet::from_folder(&folder, 3).unwrap();
    let exact = [0..12, 13..16].into_iter().flatten();
    for index in exact {
        let size = 6 * 9;
        let picture = &expected[index * size * 3..][..size * 3];
        let planes = (0..3).flat_map(|c| picture.iter().skip(c).step_by(3));
        let values = planes.map(|&byte| (f64::from(byte) / 127.5 - 1.0) as f32);
        assert_eq!(images.image(index), values.collect::<Vec<_>>(), "{index}");
    }
    let spec =
        |name: &str| DatasetSpec::load(project.at(&format!("datasets/{name}.toml"))).unwrap();
    for name in ["macosx", "numeric"] {
        let (_, folder) = export(name, &[]);
        let again = ImageSet::from_folder(folder, 1).unwrap();
        assert_eq!(
            again,
            spec(name).open(project.at("datasets")).unwrap(),
            "{name}"
        );
    }
    let (_, folder) = export("good", &["--size", "8"]);
    assert_eq!(ImageSet::from_folder(folder, 1).unwrap().height(), 8);
}

#[test]
fn an_export_never_mixes_with_what_is_there() {
    let project = Project::new("train", &["good", "pets"]);
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let arguments = [&["datasets", "export"], arguments].concat();
        project.call(&arguments).failed(code, words);
        assert!(!project.at("out").exists());
    };
    refused(&["nothing", "out"], 2, &["nothing", "good"]);
    refused(&["good", "datasets"], 2, &["datasets", "good"]);
    refused(&["good", "out", "--size", "5"], 2, &["16×16", "5×5"]);
    refused(&["good", "out", "--size", "0"], 2, &["--size"]);
    refused(&["good", "out", "--root", "nowhere"], 3, &["nowhere"]);
    refused(&["pets", "out"], 3, &["[cat, dog]"]);
}
