use std::fs;

use super::*;
use crate::family::unet::Output;
use crate::layer_config::{Heads, TemporalConvConfig};
use dsno_checkpoint::CheckpointFormat;
use dsno_checkpoint::{HostTensor, to_safetensors};

fn architecture() -> UNetConfig {
    network(
        &UNetConfig::new(8, 3)
            .with_base_channels(32)
            .with_embedding_channels(8)
            .with_channel_multipliers(vec![1, 1, 2])
            .with_attention_resolutions(vec![4])
            .with_heads(Heads::Channels(16))
            .with_classes(10)
            .with_dropout(0.1)
            .with_output(Output::StateAndNoise),
    )
}

fn names(architecture: &UNetConfig) -> Vec<String> {
    modules(&architecture.plan(None).unwrap())
}

/// A file with ones for every parameter, under `prefix`.
fn parameters_of(architecture: &UNetConfig, prefix: &str) -> StateDict {
    let entries = entries(architecture).unwrap();
    let tensors = entries.iter().flat_map(|entry| {
        let shape = entry.layout.stored().to_vec();
        let values = vec![1.0; shape.iter().product()];
        let tensor = HostTensor { shape, values };
        let of = move |name: &String| (format!("{prefix}{name}"), tensor.clone());
        entry.theirs.iter().map(of).collect::<Vec<_>>()
    });
    tensors.collect()
}

fn opened(weights: &StateDict) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    fs::write(&path, to_safetensors(weights)).unwrap();
    Checkpoint::open(&path, CheckpointFormat::Safetensors).unwrap()
}

#[test]
fn modules_have_the_names_of_their_places() {
    let expected = "dense0 dense1 class_emb conv_in \
        down_0.block_0 down_0.block_1 down_0.downsample \
        down_1.block_0 down_1.attn_0 down_1.block_1 down_1.attn_1 down_1.downsample \
        down_2.block_0 down_2.block_1 mid.block_1 mid.attn_1 mid.block_2 \
        up_2.block_0 up_2.block_1 up_2.block_2 up_2.upsample \
        up_1.block_0 up_1.attn_0 up_1.block_1 up_1.attn_1 up_1.block_2 up_1.attn_2 up_1.upsample \
        up_0.block_0 up_0.block_1 up_0.block_2 norm_out conv_out";
    assert_eq!(names(&architecture()).join(" "), expected);
    let flat = UNetConfig {
        channel_multipliers: vec![1],
        res_blocks: 1,
        attention_resolutions: vec![8],
        classes: 0,
        ..architecture()
    };
    let expected = "dense0 dense1 conv_in down_0.block_0 down_0.attn_0 \
        mid.block_1 mid.attn_1 mid.block_2 \
        up_0.block_0 up_0.attn_0 up_0.block_1 up_0.attn_1 norm_out conv_out";
    assert_eq!(names(&flat).join(" "), expected);
}

#[test]
fn parameters_are_found_wherever_they_lie() {
    let architecture = architecture();
    let average = WeightSet::Ema;
    for prefix in ["", "params/", "ema_params/", "ema_params/params/"] {
        let file = opened(&parameters_of(&architecture, prefix));
        assert!(read(&file, average, &architecture).is_ok(), "{prefix}");
    }
    let mut state = parameters_of(&architecture, "optimizer/target/");
    let error = read(&opened(&state), average, &architecture).unwrap_err();
    assert!(error.to_string().contains("ema_params"), "{error}");
    assert!(read(&opened(&state), WeightSet::Model, &architecture).is_ok());

    state.extend(parameters_of(&architecture, "ema_params/"));
    state.extend(parameters_of(
        &architecture,
        "optimizer/state/param_states/",
    ));
    assert!(read(&opened(&state), average, &architecture).is_ok());
    let stray = state["ema_params/conv_in/bias"].clone();
    state.insert("discriminator/bias".to_owned(), stray);
    let error = read(&opened(&state), average, &architecture).unwrap_err();
    assert!(error.to_string().contains("discriminator/bias"), "{error}");
}

#[test]
fn older_files_with_axes_of_length_one_are_read() {
    let architecture = architecture();
    let mut weights = parameters_of(&architecture, "");
    for (name, tensor) in &mut weights {
        if name.contains("norm") {
            tensor.shape.splice(0..0, [1, 1, 1]);
        }
    }
    assert!(read(&opened(&weights), WeightSet::Ema, &architecture).is_ok());
}

#[test]
fn another_architecture_is_refused_with_all_differences() {
    let architecture = architecture();
    let file = opened(&parameters_of(&architecture, "ema_params/"));
    let other = UNetConfig {
        output: Output::State,
        classes: 0,
        ..architecture.clone()
    };
    let error = read(&file, WeightSet::Ema, &other).unwrap_err().to_string();
    assert!(error.contains("conv_out/kernel"), "{error}");
    assert!(error.contains("class_emb/kernel"), "{error}");

    let student = UNetConfig {
        output: Output::State,
        temporal: Some(TemporalConvConfig { n_modes: 2 }),
        ..architecture.clone()
    };
    assert!(read(&file, WeightSet::Ema, &student).is_err());
    let groups = UNetConfig {
        residual_groups: None,
        ..architecture
    };
    assert!(read(&file, WeightSet::Ema, &groups).is_err());
}
