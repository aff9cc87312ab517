//! Teachers of other families, from the files that their programs wrote to the end of an experiment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::npy;
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_checkpoint::{StateDict, to_safetensors};
use dsno_operator::NetworkConfig;
use dsno_operator::family::edm::EdmConfig;

use crate::end_to_end::TINY;
use crate::program::{Answer, call, project, text};

/// The network of `tests/golden/guided.pt`.
pub(crate) const GUIDED: &str = r#"
[architecture]
image_size = 4
image_channels = 1
num_channels = 32
num_res_blocks = 1
channel_mult = [1.0]
attention_resolutions = []
num_heads = 2
use_scale_shift_norm = false
resblock_updown = false
conv_resample = true
use_new_attention_order = false
num_classes = 0
learn_sigma = false
dropout = 0.1

[architecture.process]
kind = "table"
prediction = "epsilon"
rescale_timesteps = true
schedule = { kind = "discrete-squared-cosine", entries = 4000 }
"#;

/// Keys of a network for grey images of 16 pixels.
const EDM: &str = r#"
img_resolution = 16
img_channels = 1
label_dim = 0
augment_dim = 0
model_channels = 8
channel_mult = [1, 1]
channel_mult_emb = 2
num_blocks = 1
attn_resolutions = []
dropout = 0.0
model = { model_type = "DhariwalUNet" }
preconditioning = { class_name = "EDMPrecond", sigma_data = 0.5 }
"#;

fn golden(name: &str) -> String {
    text(&project().join("tests/golden").join(name))
}

/// Writes the weights of a fresh EDM network and its description.
fn edm(folder: &Path) -> [String; 2] {
    let config: EdmConfig = toml::from_str(EDM).unwrap();
    let config = NetworkConfig::new(config).unwrap();
    let weights = config.init(1, &Device::flex()).state_dict();
    let [file, arch] = ["edm.safetensors", "edm.toml"].map(|name| folder.join(name));
    fs::write(&file, to_safetensors(&weights)).unwrap();
    fs::write(&arch, format!("[architecture]\n{EDM}")).unwrap();
    [text(&file), text(&arch)]
}

/// Values by name, as f32.
fn weights(file: &str, format: CheckpointFormat) -> BTreeMap<String, Vec<f32>> {
    let file = Checkpoint::open(Path::new(file), format).unwrap();
    file.names()
        .map(|name| (name.to_owned(), file.read(name).unwrap().values))
        .collect()
}

/// Format, file, further arguments, the file of weights and its kind, kind of the schedule.
type Case<'a> = (
    &'a str,
    &'a str,
    &'a [&'a str],
    &'a str,
    CheckpointFormat,
    &'a str,
);

#[test]
fn files_of_other_programs_become_teachers_under_their_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let (out, raw) = (path("model"), path("raw.npy"));
    fs::write(path("guided.toml"), GUIDED).unwrap();
    let [edm_file, edm_arch] = edm(folder.path());
    let (guided, guided_arch) = (golden("guided.pt"), path("guided.toml"));
    let diffusers = golden("diffusers");
    let diffusers_file = format!("{diffusers}/diffusion_pytorch_model.safetensors");
    let diffusers_config = format!("{diffusers}/config.json");
    let (torch, safetensors) = (CheckpointFormat::Torch, CheckpointFormat::Safetensors);
    let cases: [Case<'_>; 5] = [
        (
            "guided-diffusion",
            &guided,
            &["--arch", &guided_arch],
            &guided,
            torch,
            "discrete-squared-cosine",
        ),
        (
            "edm",
            &edm_file,
            &["--arch", &edm_arch],
            &edm_file,
            safetensors,
            "edm",
        ),
        (
            "diffusers",
            &diffusers,
            &[],
            &diffusers_file,
            safetensors,
            "discrete-linear",
        ),
        (
            "diffusers",
            &diffusers_file,
            &[],
            &diffusers_file,
            safetensors,
            "discrete-linear",
        ),
        (
            "diffusers",
            &diffusers_file,
            &["--arch", &diffusers_config],
            &diffusers_file,
            safetensors,
            "discrete-linear",
        ),
    ];
    for (format, file, more, original, container, schedule) in cases {
        let start = ["import", file, "--format", format, "--out", &out];
        call(&[&start[..], more].concat()).succeeded();
        let card = fs::read_to_string(format!("{out}/model.toml")).unwrap();
        assert!(card.contains(&format!("family = \"{format}\"")), "{card}");
        assert!(card.contains(&format!("kind = \"{schedule}\"")), "{card}");
        let found = weights(&format!("{out}/model.safetensors"), safetensors);
        assert_eq!(found, weights(original, container), "{format}");

        let export = path("exported.safetensors");
        call(&["export", &out, "--format", "safetensors", "--out", &export]).succeeded();
        let bytes = |file: &str| fs::read(file).unwrap();
        assert_eq!(bytes(&export), bytes(&format!("{out}/model.safetensors")));
        call(&["export", &out, "--format", "dsno-pytorch", "--out", &export]).failed(2, &[format]);

        let described = call(&["describe", &out, "--json"]).succeeded().json();
        assert_eq!(described["family"], format);
        assert_eq!(described["weights"].as_array().unwrap().len(), found.len());
        let four = ["describe", &out, "--times", "4", "--image-size", "8"];
        let layers = call(&four).succeeded().out;
        assert!(layers.contains("4 times"), "{layers}");
        assert!(
            layers.contains("1×8×8") || layers.contains("3×8×8"),
            "{layers}"
        );

        let start = [
            "collect",
            "--teacher",
            &out,
            "--count",
            "2",
            "--solver",
            "heun",
        ];
        let more = [
            "--steps", "2", "--grid", "uniform", "--record", "1,0.5,0", "--raw", &raw,
        ];
        call(&[&start[..], &more].concat()).succeeded();
        let (shape, values) = npy::read_f32(&raw).unwrap();
        assert_eq!(shape[..2], [2, 3]);
        assert!(values.iter().all(|value| value.is_finite()), "{format}");
        // The first state is noise, σ times as large where the variance explodes.
        let states = values.len() / 6;
        let power = values[..states].iter().map(|v| v * v).sum::<f32>() / states as f32;
        let expected = if format == "edm" { 80.0 } else { 1.0 };
        assert!(
            (power.sqrt() / expected - 1.0).abs() < 0.5,
            "{format}: {power}"
        );
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn older_names_of_diffusers_become_those_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let golden = golden("diffusers");
    for name in ["config.json", "scheduler_config.json"] {
        fs::copy(format!("{golden}/{name}"), folder.path().join(name)).unwrap();
    }
    let name = "diffusion_pytorch_model.safetensors";
    let original = format!("{golden}/{name}");
    let file = Checkpoint::open(Path::new(&original), CheckpointFormat::Safetensors).unwrap();
    let older = |name: &str| {
        let names = [
            (".to_q.", ".query."),
            (".to_k.", ".key."),
            (".to_v.", ".value."),
            (".to_out.0.", ".proj_attn."),
        ];
        let renamed = |text: String, (new, old): (&str, &str)| text.replace(new, old);
        names.into_iter().fold(name.to_owned(), renamed)
    };
    let weights = file
        .names()
        .map(|name| (older(name), file.read(name).unwrap()));
    let older: StateDict = weights.collect();
    assert!(older.keys().any(|name| name.contains(".query.")));
    fs::write(folder.path().join(name), to_safetensors(&older)).unwrap();
    let import = |from: &str, to: &str| {
        let out = text(&folder.path().join(to));
        call(&["import", from, "--format", "diffusers", "--out", &out]).succeeded();
        fs::read(folder.path().join(to).join("model.safetensors")).unwrap()
    };
    let from_older = import(&text(folder.path()), "older");
    assert!(from_older == import(&golden, "new"));
}

/// An experiment on a teacher of another family, with these lines in its `[student]`.
fn experiment(folder: &Path, student: &str, verb: &str) -> Answer {
    let [file, _] = edm(folder);
    let mini = project().join("experiments/mini/fashion.toml");
    let mini = fs::read_to_string(mini).unwrap();
    let (before, rest) = mini.split_once("[teacher]\n").unwrap();
    let (_, after) = rest.split_once("[collect]\n").unwrap();
    let teacher = format!(
        "[teacher]\nkind = \"import\"\nformat = \"edm\"\npath = \"{file}\"\n[teacher.architecture]{EDM}"
    );
    let after = after.replace("n_modes = 2\n\n", &format!("n_modes = 2\n{student}\n"));
    let path = folder.join("experiment.toml");
    fs::write(&path, format!("{before}{teacher}\n[collect]\n{after}")).unwrap();
    let (path, out) = (text(&path), text(&folder.join("runs")));
    let settings: Vec<&str> = TINY
        .chunks(2)
        .filter(|set| !set[1].starts_with("teacher."))
        .flatten()
        .copied()
        .collect();
    call(&[&[verb, &path, "--out", &out, "--replace"][..], &settings].concat())
}

#[test]
fn a_student_of_another_family_is_its_teachers_network_or_one_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let own = "architecture = { image_size = 16, image_channels = 1, base_channels = 8, embedding_channels = 16, channel_multipliers = [1, 2], res_blocks = 1, attention_resolutions = [], heads = { count = 1 }, attention_groups = 8, classes = 0, dropout = 0.0, output = \"state\" }\n";
    let coloured = own.replace("image_channels = 1", "image_channels = 3");
    experiment(folder.path(), &coloured, "experiment").failed(2, &["[3, 16, 16]", "[1, 16, 16]"]);
    assert!(!folder.path().join("runs").exists());
    for (student, family) in [("", "family = \"edm\""), (own, "")] {
        experiment(folder.path(), student, "distill").succeeded();
        let student = folder.path().join("runs/mini-fashion/distill/model");
        let card = fs::read_to_string(student.join("model.toml")).unwrap();
        assert!(
            card.contains(family) && card.contains("n_modes = 2"),
            "{card}"
        );
        let raw = text(&folder.path().join("raw.npy"));
        let student = text(&student);
        let start = ["sample", "--model", &student, "--count", "2", "--raw", &raw];
        call(&start).succeeded();
        let (_, values) = npy::read_f32(&raw).unwrap();
        assert!(values.iter().all(|value| value.is_finite()));
    }
}

/// Descriptions in the documentation, and parameters of the networks that they name.
#[test]
fn documented_descriptions_describe_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(project().join("docs/import.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let descriptions: Vec<&str> = blocks.filter(|b| b.contains("[architecture]")).collect();
    let expected = [
        ("flax-pd", 60_004_099),
        ("dsno-pytorch", 65_771_267),
        ("diffusers", 35_746_307),
        ("guided-diffusion", 295_904_454),
        ("edm", 55_733_891),
    ];
    assert_eq!(descriptions.len(), expected.len());
    for (description, (format, parameters)) in descriptions.into_iter().zip(expected) {
        let path = folder.path().join("arch.toml");
        fs::write(&path, description).unwrap();
        let arguments = ["describe", &text(&path), "--format", format, "--json"];
        let json = call(&arguments).succeeded().json();
        assert_eq!(json["parameters"], parameters, "{format}");
    }
}
