//! Progressive distillation's Flax files, which the test writes itself.

use std::fs;

use dsno_checkpoint::{Checkpoint, CheckpointFormat};

use crate::program::{call, text};

const DESCRIPTION: &str = r#"
prediction = "x"
schedule = { kind = "cosine", log_snr_min = -20.0, log_snr_max = 20.0 }
[architecture]
image_size = 4
image_channels = 3
base_channels = 32
embedding_channels = 16
channel_multipliers = [1]
res_blocks = 1
attention_resolutions = []
heads = { channels = 16 }
attention_groups = 32
residual_groups = 32
classes = 0
dropout = 0.0
output = "state-and-noise"
"#;

/// Modules of that network and their parameters.
fn parameters() -> Vec<(String, &'static str, &'static str, Vec<usize>)> {
    let mut all = Vec::new();
    let mut map = |module: &str, part, kernel: &[usize], bias: &[usize]| {
        all.push((module.to_owned(), part, "kernel", kernel.to_vec()));
        all.push((module.to_owned(), part, "bias", bias.to_vec()));
    };
    map("dense0", "", &[32, 16], &[16]);
    map("dense1", "", &[16, 16], &[16]);
    map("conv_in", "", &[3, 3, 3, 32], &[32]);
    map("conv_out", "", &[3, 3, 32, 6], &[6]);
    let blocks = [
        ("down_0.block_0", 32),
        ("mid.block_1", 32),
        ("mid.block_2", 32),
        ("up_0.block_0", 64),
        ("up_0.block_1", 64),
    ];
    for (block, channels) in blocks {
        map(block, "conv1", &[3, 3, channels, 32], &[32]);
        map(block, "conv2", &[3, 3, 32, 32], &[32]);
        map(block, "temb_proj", &[16, 64], &[64]);
        if channels != 32 {
            map(block, "nin_shortcut", &[channels, 32], &[32]);
        }
    }
    for part in ["q", "k", "v"] {
        map("mid.attn_1", part, &[32, 2, 16], &[2, 16]);
    }
    map("mid.attn_1", "proj_out", &[2, 16, 32], &[32]);
    let norms = blocks
        .into_iter()
        .flat_map(|(block, channels)| [(block, "norm1", channels), (block, "norm2", 32)]);
    for (module, part, channels) in norms.chain([("mid.attn_1", "norm", 32), ("norm_out", "", 32)])
    {
        for leaf in ["scale", "bias"] {
            all.push((module.to_owned(), part, leaf, vec![channels]));
        }
    }
    all
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend([0xd9, text.len() as u8]);
    out.extend(text.as_bytes());
}

fn write_map(out: &mut Vec<u8>, entries: usize) {
    out.push(0xde);
    out.extend((entries as u16).to_be_bytes());
}

/// An array of extension type 1: shape, type, bytes.
fn write_array(out: &mut Vec<u8>, shape: &[usize], values: &[f32]) {
    let mut inner = vec![0x93, 0x90 | shape.len() as u8];
    for &length in shape {
        inner.push(0xcd);
        inner.extend((length as u16).to_be_bytes());
    }
    write_text(&mut inner, "float32");
    inner.push(0xc6);
    inner.extend((4 * values.len() as u32).to_be_bytes());
    inner.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out.push(0xc9);
    out.extend((inner.len() as u32).to_be_bytes());
    out.push(1);
    out.extend(inner);
}

/// A training state: `ema_params` with these values, and `step`.
fn flax() -> Vec<u8> {
    let parameters = parameters();
    let mut modules: Vec<&str> = parameters.iter().map(|p| p.0.as_str()).collect();
    modules.sort_unstable();
    modules.dedup();
    let mut out = Vec::new();
    write_map(&mut out, 2);
    write_text(&mut out, "step");
    out.push(7);
    write_text(&mut out, "ema_params");
    write_map(&mut out, modules.len());
    for module in modules {
        let own = || parameters.iter().filter(|p| p.0 == module);
        let mut parts: Vec<&str> = own().map(|p| p.1).collect();
        parts.sort_unstable();
        parts.dedup();
        write_text(&mut out, module);
        write_map(
            &mut out,
            own().filter(|p| p.1.is_empty()).count().max(parts.len()),
        );
        for part in parts {
            let leaves: Vec<_> = own().filter(|p| p.1 == part).collect();
            if !part.is_empty() {
                write_text(&mut out, part);
                write_map(&mut out, leaves.len());
            }
            for (_, _, leaf, shape) in leaves {
                let count: usize = shape.iter().product();
                let values: Vec<f32> = (0..count).map(|k| (k as f32 * 0.7).sin() * 0.1).collect();
                write_text(&mut out, leaf);
                write_array(&mut out, shape, &values);
            }
        }
    }
    out
}

#[test]
fn a_flax_checkpoint_becomes_a_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let (file, arch, out) = (path("imagenet_16"), path("arch.toml"), path("out"));
    let bytes = flax();
    fs::write(&file, &bytes).unwrap();
    fs::write(&arch, DESCRIPTION).unwrap();
    let start = [
        "import", &file, "--format", "flax-pd", "--arch", &arch, "--out", &out,
    ];
    call(&[&start[..], &["--weights", "model"]].concat()).failed(2, &["ema_params"]);
    fs::write(&arch, DESCRIPTION.replace("state-and-noise", "state")).unwrap();
    call(&start).failed(1, &["conv_out/kernel", "[3, 3, 32, 6]", "do not fit"]);
    fs::write(
        &arch,
        DESCRIPTION.replace("prediction = \"x\"", "prediction = \"v\""),
    )
    .unwrap();
    call(&start).failed(2, &["state-and-noise"]);
    fs::write(&arch, DESCRIPTION).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    call(&start).failed(1, &["imagenet_16", "Flax"]);
    assert!(!folder.path().join("out").exists());

    fs::write(&file, &bytes).unwrap();
    call(&start).succeeded();
    let weights = folder.path().join("out/model.safetensors");
    let weights = Checkpoint::open(&weights, CheckpointFormat::Safetensors).unwrap();
    let qkv = weights.read("layers.2.qkv.weight").unwrap();
    let values = |channel: usize, head: usize, d: usize| {
        (((channel * 2 + head) * 16 + d) as f32 * 0.7).sin() * 0.1
    };
    // Head by head, and within a head queries, keys and values; here they are all the same.
    for (place, found) in qkv.values.iter().enumerate() {
        let (channel, column) = (place / 96, place % 96);
        let expected = values(channel, column / 48, column % 16);
        assert_eq!(*found, expected, "{place}");
    }
    let raw = path("raw.npy");
    let sample = [
        "sample", "--model", &out, "--count", "1", "--steps", "2", "--raw", &raw,
    ];
    call(&sample).succeeded();
}

#[test]
fn of_a_train_state_the_parameters_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let (file, arch) = (path("state.msgpack"), path("arch.toml"));
    fs::write(&arch, DESCRIPTION).unwrap();
    let import = |bytes: &[u8], out: &str| {
        fs::write(&file, bytes).unwrap();
        let start = ["import", &file, "--format", "flax-pd", "--arch", &arch];
        call(&[&start[..], &["--out", &path(out)]].concat()).succeeded()
    };
    let bytes = flax();
    import(&bytes, "expected");
    let mut key = Vec::new();
    write_text(&mut key, "ema_params");
    let place = bytes.windows(key.len()).position(|window| window == key);
    let parameters = &bytes[place.unwrap() + key.len()..];
    // `TrainState` of Flax: step, params, and Adam's two moments with the names of the parameters.
    let mut state = Vec::new();
    write_map(&mut state, 3);
    write_text(&mut state, "step");
    state.push(7);
    write_text(&mut state, "params");
    state.extend(parameters);
    write_text(&mut state, "opt_state");
    write_map(&mut state, 1);
    write_text(&mut state, "0");
    write_map(&mut state, 2);
    for moment in ["mu", "nu"] {
        write_text(&mut state, moment);
        state.extend(parameters);
    }
    let answer = import(&state, "found");
    assert!(answer.err.contains("`params/`") && answer.err.contains("`opt_state/`"));
    let weights = |out: &str| fs::read(folder.path().join(out).join("model.safetensors")).unwrap();
    assert!(weights("found") == weights("expected"));
}
