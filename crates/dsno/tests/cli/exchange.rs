//! `dsno import`, `export` and `describe` for our own network, which the tests make themselves.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::npy;
use dsno_checkpoint::{StateDict, to_safetensors};
use dsno_ode::{CosineSchedule, Schedule};
use dsno_operator::interop::dsno_pytorch;
use dsno_operator::{Heads, TemporalConvConfig, Timesteps, UNet, UNetConfig};

use crate::program::{call, text};

/// A network that the authors' program has too.
fn architecture() -> UNetConfig {
    UNetConfig::new(4, 3)
        .with_base_channels(32)
        .with_embedding_channels(16)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![2])
        .with_heads(Heads::Channels(16))
        .with_classes(3)
        .with_temporal(Some(TemporalConvConfig { n_modes: 2 }))
}

/// The description of a student, as `--arch` takes it.
pub(crate) fn student(architecture: &UNetConfig, times: &str) -> String {
    let keys = toml::to_string(architecture).unwrap();
    let keys = keys.replace("\n[", "\n[architecture.");
    format!(
        "times = {times}\nschedule = {{ kind = 'cosine', log_snr_min = -20.0, log_snr_max = 20.0 }}\n[architecture]\n{keys}"
    )
}

/// Files of one network in a folder of their own.
struct Made {
    folder: tempfile::TempDir,
    network: UNet,
    theirs: StateDict,
}

impl Made {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = architecture().init(5, &Device::flex()).unwrap();
        let theirs = dsno_pytorch::rename(network.state_dict(), &architecture()).unwrap();
        let made = Self {
            folder,
            network,
            theirs,
        };
        fs::write(
            made.path("theirs.safetensors"),
            to_safetensors(&made.theirs),
        )
        .unwrap();
        let ours = to_safetensors(&made.network.state_dict());
        fs::write(made.path("ours.safetensors"), ours).unwrap();
        let mut checkpoint = Vec::new();
        dsno_checkpoint::to_torch(&made.theirs, &mut checkpoint).unwrap();
        fs::write(made.path("theirs.pt"), checkpoint).unwrap();
        let description = student(&architecture(), "[0.5625, 0.25, 0.0625, 0.0]");
        fs::write(made.path("arch.toml"), description).unwrap();
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// Imports a file into the folder `out`, in the place of what was imported before.
    fn import(&self, file: &str, format: &str, more: &[&str]) {
        let (file, arch, out) = (self.text(file), self.text("arch.toml"), self.text("out"));
        let start = [
            "import", &file, "--format", format, "--arch", &arch, "--out", &out, "--force",
        ];
        call(&[&start[..], more].concat()).succeeded();
    }

    fn export(&self, more: &[&str]) -> Vec<u8> {
        let (model, out) = (self.text("out"), self.text("exported"));
        call(&[&["export", &model, "--out", &out], more].concat()).succeeded();
        fs::read(out).unwrap()
    }
}

#[test]
fn imported_students_answer_as_the_network_does() {
    let made = Made::new();
    let noise: Vec<f32> = (0..2 * 48).map(|k| (k as f32 * 1.7).sin()).collect();
    let (x, labels, y) = (
        made.text("x.npy"),
        made.text("labels.npy"),
        made.text("y.npy"),
    );
    npy::write_f32(&x, &[2, 3, 4, 4], &noise).unwrap();
    let classes = npy::Array {
        shape: vec![2],
        values: npy::Values::I64(vec![2, 0]),
    };
    npy::write(&labels, &classes).unwrap();
    let log_snrs = [0.5625, 0.25, 0.0625, 0.0].map(|t| CosineSchedule::default().log_snr(t));
    let z_1 = Tensor::<4>::from_data(TensorData::new(noise, [2, 3, 4, 4]), &Device::flex());
    let levels = Timesteps::Shared(&log_snrs);
    let expected = made.network.forward(z_1, levels, Some(&[2, 0]));
    let expected: Vec<f32> = expected.into_data().iter::<f32>().collect();
    for (file, format) in [
        ("theirs.safetensors", "safetensors"),
        ("theirs.safetensors", "dsno-pytorch"),
        ("theirs.pt", "dsno-pytorch"),
        ("ours.safetensors", "safetensors"),
    ] {
        made.import(file, format, &[]);
        let model = made.text("out");
        let start = [
            "sample", "--model", &model, "--noise", &x, "--labels", &labels,
        ];
        let more = [
            "--times",
            "0.5625,0.25,0.0625,0",
            "--trajectory",
            "--raw",
            &y,
        ];
        call(&[&start[..], &more].concat()).succeeded();
        let (shape, found) = npy::read_f32(&y).unwrap();
        assert_eq!(shape, [2, 4, 3, 4, 4]);
        let differences = found.iter().zip(&expected).map(|(f, e)| (f - e).abs());
        let worst = differences.fold(0.0, f32::max);
        // The same network on the same device: only the batch could differ.
        assert!(worst <= 1e-6, "{file} as {format}: {worst}");
    }
}

#[test]
fn what_was_imported_is_exported_bit_for_bit() {
    let made = Made::new();
    let read = |name: &str| fs::read(made.path(name)).unwrap();
    for (file, format) in [
        ("theirs.safetensors", "safetensors"),
        ("theirs.pt", "dsno-pytorch"),
        ("ours.safetensors", "safetensors"),
    ] {
        made.import(file, format, &[]);
        assert_eq!(read("out/model.safetensors"), read("ours.safetensors"));
        let exported = made.export(&["--format", "safetensors"]);
        assert_eq!(exported, read("theirs.safetensors"), "{file}");
        let exported = made.export(&["--format", "safetensors", "--names", "ours"]);
        assert_eq!(exported, read("ours.safetensors"), "{file}");
        let exported = made.export(&["--format", "dsno-pytorch"]);
        assert_eq!(exported, read("theirs.pt"), "{file}");
    }
}

#[test]
fn the_average_is_taken_unless_the_last_weights_are_asked_for() {
    let made = Made::new();
    let mut both = StateDict::new();
    for (name, tensor) in &made.theirs {
        both.insert(format!("ema.{name}"), tensor.clone());
        let mut last = tensor.clone();
        last.values.iter_mut().for_each(|value| *value *= 2.0);
        both.insert(format!("model.{name}"), last);
    }
    fs::write(made.path("both.safetensors"), to_safetensors(&both)).unwrap();
    let first = |more: &[&str]| {
        made.import("both.safetensors", "dsno-pytorch", more);
        made.export(&["--format", "safetensors"])
    };
    let average = first(&[]);
    assert_eq!(average, fs::read(made.path("theirs.safetensors")).unwrap());
    assert_eq!(first(&["--weights", "ema"]), average);
    assert_ne!(first(&["--weights", "model"]), average);
}

#[test]
fn the_authors_settings_describe_a_student_and_its_times() {
    let made = Made::new();
    let settings = r#"{
        "data": {"image_size": 4, "num_channels": 3, "num_steps": 512, "t_dim": 17,
                 "t_idx": [0, 4, 8, 12, 16], "time_step": "quad", "epsilon": 0.0},
        "model": {"nf": 32, "temb_dim": 16, "ch_mult": [1, 2], "num_res_blocks": 1,
                  "attn_resolutions": [2], "head_dim": 16, "dropout": 0.0, "num_classes": 3,
                  "num_modes": 2, "time_conv": true, "num_t": 4, "mean_type": "x"}
    }"#;
    let import = |settings: &str, more: &[&str]| {
        fs::write(made.path("config.json"), settings).unwrap();
        let (file, arch) = (made.text("theirs.pt"), made.text("config.json"));
        let out = made.text("by-settings");
        let start = ["import", &file, "--format", "dsno-pytorch", "--arch", &arch];
        call(&[&start[..], &["--out", &out, "--force"], more].concat())
    };
    let answer = import(settings, &[]).succeeded();
    assert!(answer.err.contains("model.mean_type"), "{}", answer.err);
    made.import("theirs.pt", "dsno-pytorch", &[]);
    let card = |folder: &str| fs::read_to_string(made.path(folder).join("model.toml")).unwrap();
    assert_eq!(card("by-settings"), card("out"));

    let silent = settings.replace("\"num_t\": 4, ", "");
    import(&silent, &[]).failed(2, &["num_t", "--times"]);
    import(&silent, &["--times", "0.5625,0.25,0.0625,0"]).succeeded();
    assert_eq!(card("by-settings"), card("out"));
    let padded = settings
        .replace("\"num_t\": 4", "\"num_t\": 2, \"num_pad\": 2")
        .replace("\"num_modes\": 2", "\"num_modes\": 1");
    import(&padded, &[]).failed(2, &["num_pad", "2"]);
}

#[test]
fn layers_are_described_for_people_and_programs() {
    let made = Made::new();
    made.import("theirs.pt", "dsno-pytorch", &[]);
    let (model, arch) = (made.text("out"), made.text("arch.toml"));
    let answer = call(&["describe", &model]).succeeded();
    for words in [
        "student of family `unet`",
        "3×4×4",
        "4 times",
        "temporal, 2 modes",
    ] {
        assert!(answer.out.contains(words), "{}", answer.out);
    }
    let json = call(&["describe", &arch, "--json"]).succeeded().json();
    let parameters = architecture().parameter_count().unwrap();
    assert_eq!(json["parameters"], parameters);
    assert_eq!(
        json["multiply_adds"],
        architecture().multiply_adds(4).unwrap()
    );
    assert_eq!(json["times"], 4);
    assert_eq!(json["layers"][0]["name"], "embedding.dense_0");
    let more = ["--times", "5", "--image-size", "8", "--json"];
    let larger = call(&[&["describe", &arch][..], &more].concat()).failed(2, &["attention"]);
    assert!(larger.out.is_empty());
    let more = ["--times", "8", "--json"];
    let json = call(&[&["describe", &model][..], &more].concat())
        .succeeded()
        .json();
    assert_eq!(
        json["multiply_adds"],
        architecture().multiply_adds(8).unwrap()
    );
    call(&["describe", &model, "--times", "0"]).failed(2, &["--times"]);
    call(&["describe", "/no/such/model"]).failed(3, &["/no/such/model"]);
}

#[test]
fn networks_that_the_authors_do_not_have_keep_our_names() {
    let out = tempfile::tempdir().unwrap();
    let file = text(&out.path().join("weights"));
    let teacher = "models/fashion-teacher";
    let start = ["export", teacher, "--out", &file, "--format"];
    call(&[&start[..], &["safetensors"]].concat()).failed(2, &["attention_groups", "--names"]);
    call(&[&start[..], &["dsno-pytorch"]].concat()).failed(2, &["attention_groups"]);
    assert!(!Path::new(&file).exists());
    call(&[&start[..], &["dsno-pytorch", "--names", "ours"]].concat()).failed(2, &["--names"]);
    call(&[&start[..], &["safetensors", "--names", "ours"]].concat()).succeeded();
    let shipped = crate::program::project()
        .join(teacher)
        .join("model.safetensors");
    assert_eq!(fs::read(file).unwrap(), fs::read(shipped).unwrap());
}
