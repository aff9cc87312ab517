//! `dsno sample`, `collect` and `evaluate` on the models of a finished run.

use std::path::PathBuf;

use crate::end_to_end::finished;
use crate::program::{call, text};

fn model(name: &str) -> String {
    text(&finished().join("mini-fashion").join(name).join("model"))
}

fn sample(more: &[&str]) -> Vec<String> {
    [&["sample"], more]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn noise_from_a_seed_and_from_a_file_give_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    for (name, more) in [("teacher", &["--steps", "4"][..]), ("distill", &[])] {
        let model = model(name);
        let (whole, halves) = (path("whole.npy"), path("halves.npy"));
        let start = [&["--model", &model, "--count", "5", "--seed", "3"], more].concat();
        call(&sample(&[&start[..], &["--raw", &whole]].concat())).succeeded();
        let halved = ["--raw", &halves, "--batch", "2"];
        call(&sample(&[&start[..], &halved].concat())).succeeded();
        let (a, b) = (floats(&whole), floats(&halves));
        assert_eq!(a.len(), 5 * 256);
        let worst = a
            .iter()
            .zip(&b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-4, "{name}: {worst}");
    }
}

#[test]
fn trajectories_pictures_and_archives() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (raw, png, npz) = (
        text(&path("raw.npy")),
        text(&path("png")),
        text(&path("x.npz")),
    );
    let student = model("distill");
    let start = [
        "--model",
        &student,
        "--count",
        "3",
        "--trajectory",
        "--raw",
        &raw,
    ];
    call(&sample(
        &[&start[..], &["--png", &png, "--npz", &npz]].concat(),
    ))
    .succeeded();
    assert_eq!(floats(&raw).len(), 3 * 4 * 256);
    assert!(path("png-grid.png").is_file() && path("x.npz").is_file());
    assert!(path("png").join("00002.png").is_file());
    let more = ["--times", "0.5625,0.0"];
    call(&sample(&[&start[..], &more].concat())).succeeded();
    assert_eq!(floats(&raw).len(), 3 * 2 * 256);
    call(&sample(&[&start[..], &["--times", "0,0.5"]].concat())).failed(2, &["--times"]);
    call(&sample(&[&start[..], &["--steps", "4"]].concat())).failed(2, &["one call"]);
}

#[test]
fn collected_arrays_begin_with_their_noise_and_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let raw = text(&folder.path().join("states.npy"));
    let teacher = model("teacher");
    let arguments = [
        "collect",
        "--teacher",
        &teacher,
        "--count",
        "4",
        "--steps",
        "4",
        "--grid",
    ];
    let more = ["uniform", "--record", "1,0.5,0", "--raw", &raw];
    call(&[&arguments[..], &more].concat()).succeeded();
    assert_eq!(floats(&raw).len(), 4 * 3 * 256);
    let store = text(&folder.path().join("store"));
    let more = ["uniform", "--record", "1,0.5,0", "--store", &store];
    call(&[&arguments[..], &more].concat()).succeeded();
    // A time between grid times is reached by a step of its own and changes nothing else.
    let on_grid = floats(&raw);
    let more = ["uniform", "--record", "1,0.3,0", "--raw", &raw];
    call(&[&arguments[..], &more].concat()).succeeded();
    for (on, between) in on_grid.chunks(3 * 256).zip(floats(&raw).chunks(3 * 256)) {
        assert_eq!(on[..256], between[..256]);
        assert_ne!(on[256..512], between[256..512]);
        assert_eq!(on[512..], between[512..]);
    }
}

#[test]
fn an_analytic_teacher_keeps_what_is_already_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    // One standard normal component: the flow leaves every point where it is.
    let toml = "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0, 0.0]]\nstds = [1.0]\n";
    std::fs::write(path("teacher.toml"), toml).unwrap();
    let (teacher, raw) = (path("teacher.toml"), path("raw.npy"));
    let start = [
        "collect",
        "--teacher",
        &teacher,
        "--count",
        "3",
        "--steps",
        "512",
        "--grid",
    ];
    let more = ["uniform", "--record", "1,0.5,0", "--raw", &raw];
    call(&[&start[..], &more].concat()).succeeded();
    let values = floats(&raw);
    assert_eq!(values.len(), 3 * 3 * 2);
    for states in values.chunks(6) {
        assert!((states[0] - states[4]).abs() < 0.02, "{states:?}");
        assert!((states[1] - states[5]).abs() < 0.02, "{states:?}");
    }
    std::fs::write(
        path("teacher.toml"),
        toml.replace("stds = [1.0]", "stds = [-1.0]"),
    )
    .unwrap();
    call(&[&start[..], &more].concat()).failed(2, &["teacher.toml", "-1"]);
}

#[test]
fn imported_weights_give_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let teacher = model("teacher");
    let card = std::fs::read_to_string(format!("{teacher}/model.toml")).unwrap();
    let own = |line: &&str| {
        ["kind = \"teacher", "weights_sha256", "run"]
            .iter()
            .all(|key| !line.starts_with(key))
    };
    let description: Vec<&str> = card.lines().filter(own).collect();
    std::fs::write(path("arch.toml"), description.join("\n")).unwrap();
    let weights = format!("{teacher}/model.safetensors");
    let (arch, out) = (path("arch.toml"), path("imported"));
    let start = [
        "import",
        &weights,
        "--format",
        "safetensors",
        "--arch",
        &arch,
        "--out",
        &out,
    ];
    call(&start).succeeded();
    let images = |model: &str, name: &str| {
        let raw = path(name);
        let more = [
            "--model", model, "--count", "2", "--steps", "2", "--raw", &raw,
        ];
        call(&sample(&more)).succeeded();
        floats(&raw)
    };
    assert_eq!(images(&out, "a.npy"), images(&teacher, "b.npy"));
    std::fs::remove_dir_all(&out).unwrap();
    let wider = description
        .join("\n")
        .replace("embedding_channels = 32", "embedding_channels = 64");
    std::fs::write(&arch, wider).unwrap();
    call(&start).failed(1, &["do not fit", "another shape"]);
    assert!(!folder.path().join("imported").exists());
}

#[test]
fn noise_of_another_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let raw = text(&folder.path().join("a.npy"));
    let (teacher, student) = (model("teacher"), model("distill"));
    let start = [
        "--model",
        &student,
        "--count",
        "2",
        "--trajectory",
        "--raw",
        &raw,
    ];
    call(&sample(&start)).succeeded();
    let other = text(&folder.path().join("b.npy"));
    let again = ["--model", &teacher, "--noise", &raw, "--raw", &other];
    call(&sample(&again)).failed(2, &["shape", "1×16×16"]);
    call(&sample(&[
        "--model",
        &teacher,
        "--noise",
        "/no/x.npy",
        "--raw",
        &raw,
    ]))
    .failed(3, &["x.npy"]);
}

#[test]
fn archives_of_images_are_compared_in_a_named_space() {
    let folder = tempfile::tempdir().unwrap();
    let npz = text(&folder.path().join("x.npz"));
    let student = model("distill");
    call(&sample(&[
        "--model", &student, "--count", "80", "--npz", &npz,
    ]))
    .succeeded();
    let features = text(&PathBuf::from("datasets/fashion-mnist/classifier"));
    let json = call(&["evaluate", &npz, &npz, "--features", &features, "--json"])
        .succeeded()
        .json();
    assert!(
        json["frechet"]["value"].as_f64().unwrap().abs() < 1e-4,
        "{json}"
    );
    assert_eq!(json["frechet"]["samples"], 80);
    call(&["evaluate", &npz, &npz]).failed(2, &["--features"]);
}

/// The values of a float32 array.
fn floats(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes[header..].chunks_exact(4).map(value).collect()
}
