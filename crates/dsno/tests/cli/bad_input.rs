//! Wrong input ends in one sentence and the right exit code, with nothing written.

use std::fs;
use std::path::Path;

use crate::program::{call, changed, project, text};

const MINI: &str = "mini/fashion";

/// Runs an experiment that must fail before anything is written.
#[track_caller]
fn refused(file: &str, more: &[&str], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("runs"));
    let arguments = [&["experiment", file, "--out", &out], more].concat();
    call(&arguments).failed(code, words);
    assert!(
        !folder.path().join("runs").exists(),
        "something was written"
    );
}

#[track_caller]
fn refused_with(change: (&str, &str), words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    refused(&changed(folder.path(), MINI, &[change]), &[], 2, words);
}

#[test]
fn a_misspelt_key() {
    refused_with(
        ("image_size = 16", "image_sise = 16"),
        &["image_sise", "data"],
    );
    refused_with(("n_modes = 2", "modes = 2"), &["modes", "student"]);
    refused_with(("beta_1 = 0.9", "beta1 = 0.9"), &["beta1", "teacher"]);
    refused_with(("[sample]", "[samples]"), &["samples"]);
}

#[test]
fn a_missing_key() {
    refused_with(("columns = 8\n", ""), &["columns", "sample"]);
}

#[test]
fn a_wrong_type() {
    refused_with(
        ("count = 16", "count = \"many\""),
        &["many", "sample.count"],
    );
    refused_with(("seed = 7", "seed = -1"), &["seed", "-1"]);
    refused_with(("clamp = true", "clamp = 1"), &["clamp"]);
    refused_with(
        ("distance = \"l1\"", "distance = \"l3\""),
        &["l3", "distill"],
    );
}

#[test]
fn broken_toml_names_the_line() {
    refused_with(("seed = 7", "seed = "), &["line 4"]);
}

#[test]
fn an_impossible_architecture() {
    refused_with(
        ("attention_resolutions = [8]", "attention_resolutions = [5]"),
        &["attention_resolutions", "5", "[16, 8]"],
    );
    refused_with(
        ("attention_groups = 8", "attention_groups = 7"),
        &["7 groups"],
    );
    refused_with(("heads = { count = 1 }", "heads = { count = 3 }"), &["3"]);
}

#[test]
fn sections_that_do_not_fit_together() {
    refused_with(("[student]\nn_modes = 2\n", ""), &["distill", "student"]);
    refused_with(("name = \"no-temporal\"", "name = \"dsno\""), &["dsno"]);
    refused_with(
        ("paired = 50", "paired = 5000"),
        &["evaluate.paired", "5000"],
    );
    refused_with(
        ("\"student.n_modes\" = 0", "\"collect.steps\" = 8"),
        &["collect.steps"],
    );
}

#[test]
fn a_key_that_cannot_be_set() {
    refused(
        MINI,
        &["--set", "distill.bach_size=4"],
        2,
        &["bach_size", "`batch_size`"],
    );
    refused(MINI, &["--set", "nonsense"], 2, &["nonsense", "="]);
}

#[test]
fn an_unknown_device() {
    refused(MINI, &["--device", "abacus"], 2, &["abacus", "flex, wgpu"]);
    refused(MINI, &["--device", "cuda:x"], 2, &["cuda:1"]);
    if !cfg!(feature = "rocm") {
        refused(MINI, &["--device", "rocm"], 2, &["--features rocm"]);
    }
}

#[test]
fn a_data_set_that_is_not_there() {
    refused(
        MINI,
        &["--set", "data.set=fashion"],
        2,
        &["fashion-mnist", "emoji"],
    );
    refused(
        MINI,
        &["--set", "data.root=/no/such/folder"],
        3,
        &["/no/such/folder", "data.root"],
    );
}

#[test]
fn a_teacher_for_other_images() {
    let folder = tempfile::tempdir().unwrap();
    let file = changed(
        folder.path(),
        MINI,
        &[
            (
                "\nimage_size = 16\nimage_channels",
                "\nimage_size = 32\nimage_channels",
            ),
            (
                "attention_resolutions = [8]",
                "attention_resolutions = [16]",
            ),
        ],
    );
    refused(&file, &[], 2, &["32×32", "16×16"]);
}

#[test]
fn a_truncated_or_altered_data_file() {
    let folder = tempfile::tempdir().unwrap();
    copy(&project().join("datasets"), folder.path());
    let root = format!("data.root={}", folder.path().display());
    let images = find(folder.path(), "t10k-images");
    let bytes = fs::read(&images).unwrap();
    fs::write(&images, &bytes[..bytes.len() / 2]).unwrap();
    refused(MINI, &["--set", &root], 3, &["t10k-images"]);
    let mut altered = bytes.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(&images, &altered).unwrap();
    refused(MINI, &["--set", &root], 3, &["t10k-images"]);
}

#[test]
fn an_output_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    call(&["experiment", MINI, "--out", &text(&file)]).failed(3, &["file", "--out"]);
}

#[test]
fn verbs_without_their_input() {
    let folder = tempfile::tempdir().unwrap();
    let empty = text(folder.path());
    let png = text(&folder.path().join("png"));
    let sample = |model: &str| {
        ["sample", "--model", model, "--count", "1", "--png", &png].map(str::to_owned)
    };
    call(&sample("/no/such/model")).failed(3, &["/no/such/model"]);
    call(&sample(&empty)).failed(3, &["model.toml"]);
    assert!(!folder.path().join("png").exists());
    call(&["sample", "--model", &empty]).failed(2, &["--noise"]);
    call(&["evaluate", "/no/such/images", &empty]).failed(3, &["/no/such/images"]);
    call(&["evaluate", &empty, &empty, "--metrics", "fid"]).failed(2, &["fid", "frechet"]);
    call(&["report", MINI, "--out", &empty]).failed(3, &["teacher", "run `dsno experiment"]);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn find(folder: &Path, start: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(start)
            {
                return path;
            }
        }
    }
    panic!("no file {start}");
}
