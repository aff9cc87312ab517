//! Files of weights that are not what they should be end in one sentence, with nothing written.

use std::fs;
use std::path::PathBuf;

use dsno_checkpoint::to_safetensors;
use dsno_operator::interop::dsno_pytorch;
use dsno_operator::{TemporalConvConfig, UNetConfig};

use crate::exchange::student;
use crate::families::GUIDED;
use crate::program::{call, project, text};

/// A folder with a good file of weights and its description.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let architecture = UNetConfig::new(4, 1)
            .with_base_channels(32)
            .with_embedding_channels(8)
            .with_channel_multipliers(vec![1])
            .with_res_blocks(1)
            .with_attention_resolutions(vec![])
            .with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
        let device = burn::tensor::Device::flex();
        let weights = architecture.init(1, &device).unwrap().state_dict();
        let theirs = dsno_pytorch::rename(weights, &architecture).unwrap();
        let files = Self(tempfile::tempdir().unwrap());
        fs::write(files.path("good.safetensors"), to_safetensors(&theirs)).unwrap();
        let mut checkpoint = Vec::new();
        dsno_checkpoint::to_torch(&theirs, &mut checkpoint).unwrap();
        fs::write(files.path("good.pt"), checkpoint).unwrap();
        fs::write(
            files.path("arch.toml"),
            student(&architecture, "[0.5, 0.0]"),
        )
        .unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An import that must fail and leave nothing.
    #[track_caller]
    fn refused(&self, file: &str, format: &str, arch: &str, code: i32, words: &[&str]) {
        let out = text(&self.path("out"));
        let (file, arch) = (text(&self.path(file)), text(&self.path(arch)));
        let arguments = [
            "import", &file, "--format", format, "--arch", &arch, "--out", &out,
        ];
        call(&arguments).failed(code, words);
        assert!(!self.path("out").exists(), "something was written");
    }

    /// The description, with a change.
    fn describe(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.path("arch.toml")).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(self.path("changed.toml"), text.replace(old, new)).unwrap();
    }
}

#[test]
fn a_wrong_architecture_lists_every_difference() {
    let files = Files::new();
    files.describe("embedding_channels = 8", "embedding_channels = 16");
    for (file, format) in [
        ("good.safetensors", "safetensors"),
        ("good.pt", "dsno-pytorch"),
    ] {
        let words = [
            "do not fit",
            "all_modules.0.weight",
            "all_modules.1.weight",
            "[16, 32]",
        ];
        files.refused(file, format, "changed.toml", 1, &words);
    }
    files.describe("res_blocks = 1", "res_blocks = 2");
    files.refused("good.pt", "dsno-pytorch", "changed.toml", 1, &["missing"]);
    files.describe("attention_groups = 32", "attention_groups = 16");
    let words = ["attention_groups"];
    files.refused("good.pt", "dsno-pytorch", "changed.toml", 2, &words);
}

#[test]
fn a_wrong_description_names_the_key() {
    let files = Files::new();
    let refused = |old: &str, new: &str, words: &[&str]| {
        files.describe(old, new);
        files.refused("good.pt", "dsno-pytorch", "changed.toml", 2, words);
    };
    refused("res_blocks", "res_block", &["res_block", "changed.toml"]);
    refused(
        "times = [0.5, 0.0]",
        "times = [0.0, 0.5]",
        &["times", "0.5"],
    );
    refused("times = [0.5, 0.0]", "times = []", &["times"]);
    refused(
        "n_modes = 2",
        "n_modes = 3",
        &["3 temporal modes", "2 times"],
    );
    refused(
        "times = [0.5, 0.0]",
        "prediction = \"x\"",
        &["temporal", "times"],
    );
    refused("times = [0.5, 0.0]", "", &["prediction"]);
    let both = "times = [0.5, 0.0]\nprediction = \"x\"";
    refused("times = [0.5, 0.0]", both, &["prediction"]);
    refused("schedule = {", "schedule = {{", &["changed.toml"]);
    refused(
        "attention_groups = 32",
        "attention_groups = 7",
        &["7 groups"],
    );
    files.refused("good.pt", "dsno-pytorch", "no.toml", 3, &["no.toml"]);
    files.refused("no.pt", "dsno-pytorch", "arch.toml", 3, &["no.pt"]);
    files.refused(
        "good.pt",
        "flex-pd",
        "arch.toml",
        2,
        &["flex-pd", "flax-pd"],
    );
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let files = Files::new();
    for (file, format) in [
        ("good.safetensors", "safetensors"),
        ("good.pt", "dsno-pytorch"),
    ] {
        let bytes = fs::read(files.path(file)).unwrap();
        for cut in [0, 1, 9, bytes.len() / 2, bytes.len() - 1] {
            fs::write(files.path("cut"), &bytes[..cut]).unwrap();
            files.refused("cut", format, "arch.toml", 1, &["cut"]);
        }
    }
    fs::copy(files.path("good.pt"), files.path("named.safetensors")).unwrap();
    files.refused(
        "named.safetensors",
        "safetensors",
        "arch.toml",
        1,
        &["safetensors"],
    );
    files.refused("good.pt", "flax-pd", "arch.toml", 1, &["Flax"]);
    let code = project().join("tests/golden/checkpoints/code.pt");
    fs::copy(code, files.path("code.pt")).unwrap();
    files.refused("code.pt", "dsno-pytorch", "arch.toml", 1, &["code.pt"]);
    fs::write(files.path("guided.toml"), GUIDED).unwrap();
    files.refused(
        "good.pt",
        "guided-diffusion",
        "guided.toml",
        1,
        &["do not fit"],
    );
    files.refused(
        "code.pt",
        "guided-diffusion",
        "guided.toml",
        1,
        &["code.pt"],
    );
}

#[test]
fn options_that_do_not_go_together() {
    let files = Files::new();
    fs::write(files.path("guided.toml"), GUIDED).unwrap();
    let out = text(&files.path("out"));
    let [good, arch, guided] =
        ["good.pt", "arch.toml", "guided.toml"].map(|name| text(&files.path(name)));
    let refused = |format: &str, more: &[&str], code: i32, words: &[&str]| {
        let start = ["import", &good, "--format", format, "--out", &out];
        call(&[&start[..], more].concat()).failed(code, words);
        assert!(!files.path("out").exists(), "something was written");
    };
    refused(
        "edm",
        &["--arch", &guided, "--weights", "ema"],
        2,
        &["--weights"],
    );
    refused(
        "guided-diffusion",
        &["--arch", &guided, "--times", "0"],
        2,
        &["--times"],
    );
    refused("dsno-pytorch", &[], 2, &["--arch"]);
    refused("diffusers", &[], 3, &["config.json"]);
    refused(
        "dsno-pytorch",
        &["--arch", &arch, "--weights", "last"],
        2,
        &["ema"],
    );
    refused("guided-diffusion", &["--arch", &arch], 2, &["arch.toml"]);
    let cosine = "schedule = { kind = 'cosine', log_snr_min = -20.0, log_snr_max = 20.0 }\n";
    fs::write(files.path("guided.toml"), format!("{cosine}{GUIDED}")).unwrap();
    refused(
        "guided-diffusion",
        &["--arch", &guided],
        2,
        &["schedule", "table"],
    );
}

#[test]
fn every_verb_has_a_help_text() {
    for (verb, words) in [
        (
            "import",
            ["--format", "guided-diffusion", "--weights", "config.json"],
        ),
        ("export", ["--format", "dsno-pytorch", "--names", "--out"]),
        (
            "describe",
            ["--times", "--image-size", "--json", "MODEL_DIR"],
        ),
    ] {
        let answer = call(&[verb, "--help"]).succeeded();
        for word in words {
            assert!(answer.out.contains(word), "{verb}: {}", answer.out);
        }
    }
}
