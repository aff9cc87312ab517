//! Models as other programs write them, in `tests/cases/import`: read, or refused for what they are.

mod keeps;
mod names;
mod places;

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::npy;
use dsno_checkpoint::{Checkpoint, CheckpointFormat, StateDict, to_safetensors};

use crate::program::{Answer, call, names_in, project, text};

/// A folder to work in, and the cases.
struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// Imports a diffusers model into `out`.
    fn import(&self, from: &str, more: &[&str]) -> Answer {
        let out = self.text("out");
        call(
            &[
                &["import", from, "--format", "diffusers", "--out", &out],
                more,
            ]
            .concat(),
        )
    }

    /// A copy of a case, with these of its files left out.
    fn copy(&self, case: &str, name: &str, without: &[&str]) -> String {
        copy(Path::new(&self::case(case)), &self.path(name), without);
        self.text(name)
    }

    /// The weights that an import made.
    fn weights(&self) -> Vec<u8> {
        fs::read(self.path("out/model.safetensors")).unwrap()
    }

    /// An import that gives the weights of the base and leaves nothing else.
    #[track_caller]
    fn gives_base(&self, from: &str, more: &[&str]) -> Answer {
        let answer = self.import(from, more).succeeded();
        assert!(self.weights() == base(), "{from}: other weights");
        assert_eq!(
            names_in(&self.path("out")),
            ["model.safetensors", "model.toml"]
        );
        fs::remove_dir_all(self.path("out")).unwrap();
        answer
    }

    /// An import that is refused, in few words, and leaves nothing.
    #[track_caller]
    fn refuses(&self, from: &str, code: i32, words: &[&str]) {
        let answer = self.import(from, &[]).failed(code, words);
        assert!(answer.err.len() < 20 * 80, "{}", answer.err);
        assert!(!self.path("out").exists(), "something was written");
    }

    /// The largest difference of samples in two steps to those of the library.
    fn difference(&self, expected: &str, more: &[&str]) -> f32 {
        let (model, noise, raw) = (self.text("out"), case("noise.npy"), self.text("raw.npy"));
        let start = [
            "sample", "--model", &model, "--noise", &noise, "--raw", &raw,
        ];
        let steps = ["--steps", "2"];
        call(&[&start[..], &steps, more].concat()).succeeded();
        let (_, found) = npy::read_f32(&raw).unwrap();
        let (_, expected) = npy::read_f32(case(expected)).unwrap();
        assert_eq!(found.len(), expected.len());
        let differences = found.iter().zip(&expected).map(|(f, e)| (f - e).abs());
        differences.fold(0.0, f32::max)
    }
}

/// Path of a case.
fn case(name: &str) -> String {
    text(&project().join("tests/cases/import").join(name))
}

/// The base's weights as an import stores them: as they are, without the header's remark.
fn base() -> Vec<u8> {
    to_safetensors(&base_weights())
}

fn base_weights() -> StateDict {
    let file = case("k11_base/unet/diffusion_pytorch_model.safetensors");
    let file = Checkpoint::open(Path::new(&file), CheckpointFormat::Safetensors).unwrap();
    let names = file
        .names()
        .map(|name| (name.to_owned(), file.read(name).unwrap()));
    names.collect()
}

/// Copies a folder but for these files, relative to it.
fn copy(from: &Path, to: &Path, without: &[&str]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if without.contains(&&*name) {
            continue;
        }
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            let below: Vec<&str> = without
                .iter()
                .filter_map(|path| path.strip_prefix(&*name)?.strip_prefix('/'))
                .collect();
            copy(&from, &to, &below);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Replaces text in a file, which must have it.
#[track_caller]
fn edit(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "no `{old}` in {}", file.display());
    fs::write(file, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn infinity_in_json_is_read_and_samples_are_those_of_the_library() {
    let work = Work::new();
    for name in ["dpm", "singlestep", "sasolver"] {
        let from = case(&format!("k01_infinity_{name}"));
        let answer = work.import(&from, &[]).succeeded();
        assert!(answer.err.contains("--unclamped"), "{}", answer.err);
        let card = fs::read_to_string(work.path("out/model.toml")).unwrap();
        for words in [
            "kind = \"discrete-linear\"",
            "entries = 1000",
            "prediction = \"epsilon\"",
        ] {
            assert!(card.contains(words), "{card}");
        }
        assert!(work.weights() == base());
        let difference = work.difference("expected_epsilon_ddim2.npy", &["--unclamped"]);
        assert!(difference < 1e-3, "{name}: {difference}");
        fs::remove_dir_all(work.path("out")).unwrap();
    }
}

#[test]
fn the_older_key_of_the_prediction_is_honoured() {
    let work = Work::new();
    let from = work.copy("k11_base", "old", &[]);
    let scheduler = work.path("old/scheduler/scheduler_config.json");
    let older = "\"predict_epsilon\": false";
    edit(&scheduler, "\"prediction_type\": \"epsilon\"", older);
    work.import(&from, &[]).succeeded();
    let difference = work.difference("expected_sample_ddim2.npy", &["--unclamped"]);
    assert!(difference < 1e-3, "{difference}");
    let both = "\"predict_epsilon\": false, \"prediction_type\": \"v_prediction\"";
    edit(&scheduler, older, both);
    fs::remove_dir_all(work.path("out")).unwrap();
    work.refuses(&from, 2, &["`prediction_type`", "`predict_epsilon`"]);
}

#[test]
fn a_scheduler_that_does_not_clip_is_told_of_once() {
    let work = Work::new();
    let answer = work.gives_base(&case("k18_clip_sample_false"), &[]);
    assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    assert!(answer.err.contains("`clip_sample` is false") && answer.err.contains("--unclamped"));
    let clips = work.gives_base(&case("k11_base"), &[]);
    assert_eq!(clips.err, "");
    let from = work.copy("k11_base", "range", &[]);
    let scheduler = work.path("range/scheduler/scheduler_config.json");
    edit(
        &scheduler,
        "\"clip_sample_range\": 1.0",
        "\"clip_sample_range\": 2.0",
    );
    assert!(work.gives_base(&from, &[]).err.contains("±2"));
}

#[test]
fn keys_of_an_average_are_left_alone() {
    let work = Work::new();
    let answer = work.gives_base(&case("k02_ema/unet_ema"), &[]);
    for key in ["use_ema_warmup", "decay", "update_after_step"] {
        assert!(answer.err.contains(key), "{}", answer.err);
    }
    assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    // The folder around it has no other network.
    work.gives_base(&case("k02_ema"), &[]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let work = Work::new();
    work.gives_base(&case("k07_bom"), &[]);
    let weights = case("k11_base/unet/diffusion_pytorch_model.safetensors");
    let config = case("k07_bom/unet/config.json");
    work.gives_base(&weights, &["--arch", &config]);
    let from = work.copy("k11_base", "scheduler", &[]);
    let scheduler = work.path("scheduler/scheduler/scheduler_config.json");
    let marked = |text: &str| format!("\u{feff}{text}");
    let bare = fs::read_to_string(&scheduler).unwrap();
    fs::write(&scheduler, marked(&bare)).unwrap();
    work.gives_base(&from, &[]);
    // The description of a model folder, as TOML.
    work.import(&from, &[]).succeeded();
    let card = fs::read_to_string(work.path("out/model.toml")).unwrap();
    let (_, architecture) = card.split_once("[architecture]").unwrap();
    fs::write(
        work.path("arch.toml"),
        marked(&format!("[architecture]{architecture}")),
    )
    .unwrap();
    fs::remove_dir_all(work.path("out")).unwrap();
    work.gives_base(&weights, &["--arch", &work.text("arch.toml")]);
}

#[test]
fn the_size_of_images_is_a_list_or_given() {
    let work = Work::new();
    let from = work.copy("k11_base", "sized", &[]);
    let config = work.path("sized/unet/config.json");
    edit(&config, "\"sample_size\": 8", "\"sample_size\": [8, 8]");
    work.gives_base(&from, &[]);
    edit(&config, "[8, 8]", "null");
    work.refuses(&from, 2, &["sample_size", "null", "--image-size"]);
    work.gives_base(&from, &["--image-size", "8"]);
    work.import(&from, &["--image-size", "0"])
        .failed(2, &["sample_size", "0"]);
    work.import(&from, &["--image-size", "16"]).succeeded();
    let card = fs::read_to_string(work.path("out/model.toml")).unwrap();
    assert!(card.contains("sample_size = 16"), "{card}");
    edit(&config, "\"sample_size\": null", "\"sample_size\": [8, 16]");
    fs::remove_dir_all(work.path("out")).unwrap();
    work.refuses(&from, 2, &["[8,16]"]);
}

#[test]
fn other_processes_are_refused_by_name() {
    let work = Work::new();
    for class in [
        "EDMEulerScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "ScoreSdeVeScheduler",
    ] {
        let from = work.copy("k11_base", class, &[]);
        let scheduler = work.path(class).join("scheduler/scheduler_config.json");
        edit(&scheduler, "DDPMScheduler", class);
        work.refuses(&from, 2, &["_class_name", class]);
    }
    let from = work.copy("k11_base", "zero", &[]);
    let scheduler = work.path("zero/scheduler/scheduler_config.json");
    let key = "\"rescale_betas_zero_snr\": ";
    edit(&scheduler, &format!("{key}false"), &format!("{key}true"));
    work.refuses(&from, 2, &["rescale_betas_zero_snr"]);
}

#[test]
fn labels_of_every_type_are_the_same_and_noise_is_exact_or_refused() {
    let work = Work::new();
    work.import(&case("k17_classes"), &[]).succeeded();
    let sampled = |noise: &str, labels: &str| {
        let (model, raw) = (work.text("out"), work.text("raw.npy"));
        let arguments = [
            "sample",
            "--model",
            &model,
            "--noise",
            &case(noise),
            "--labels",
            &case(labels),
            "--steps",
            "2",
            "--raw",
            &raw,
        ];
        let answer = call(&arguments);
        (answer.code == Some(0))
            .then(|| fs::read(&raw).unwrap())
            .ok_or(answer)
    };
    let expected = sampled("noise.npy", "k14_labels_i8.npy").ok().unwrap();
    assert!(sampled("noise.npy", "k14_labels_i4.npy").ok().unwrap() == expected);
    assert!(
        sampled("k15_noise_fortran.npy", "k14_labels_i8.npy")
            .ok()
            .unwrap()
            == expected
    );
    assert!(sampled("k15_noise_f2.npy", "k14_labels_i8.npy").is_ok());
    let Err(refused) = sampled("k15_noise_f8.npy", "k14_labels_i8.npy") else {
        panic!("noise of 64 bits was taken");
    };
    refused.failed(2, &["<f8, expected <f4", ".astype('<f4')"]);
}

#[test]
fn describe_takes_what_import_takes() {
    let work = Work::new();
    let parameters = base_weights()
        .values()
        .map(|tensor| tensor.values.len())
        .sum::<usize>();
    let base = case("k11_base");
    let inside = |name: &str| format!("{base}/{name}");
    for (path, format) in [
        (base.clone(), Some("diffusers")),
        (base.clone(), None),
        (inside("unet"), Some("diffusers")),
        (inside("unet/config.json"), Some("diffusers")),
        (inside("unet/config.json"), None),
        (
            inside("unet/diffusion_pytorch_model.safetensors"),
            Some("diffusers"),
        ),
    ] {
        let format: Vec<&str> = format.map_or(vec![], |format| vec!["--format", format]);
        let json = call(&[&["describe", &path, "--json"][..], &format].concat());
        assert_eq!(
            json.succeeded().json()["parameters"],
            parameters,
            "{path} {format:?}"
        );
    }
    let png = work.text("png");
    let sample = ["sample", "--model", &base, "--count", "1", "--png", &png];
    call(&sample).failed(3, &["model.toml", "dsno import --format diffusers"]);
}
