use std::collections::BTreeMap;
use std::fs;

use burn::tensor::Device;

use super::*;
use crate::family::unet::Output;
use crate::layer_config::{Heads, TemporalConvConfig};
use dsno_checkpoint::CheckpointFormat;
use dsno_checkpoint::to_safetensors;
use dsno_checkpoint::{HostTensor, WeightError};

fn architecture() -> UNetConfig {
    UNetConfig::new(4, 2)
        .with_base_channels(32)
        .with_embedding_channels(6)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![])
        .with_heads(Heads::Channels(16))
        .with_classes(3)
        .with_dropout(0.1)
        .with_temporal(Some(TemporalConvConfig { n_modes: 2 }))
}

fn weights() -> StateDict {
    let network = architecture().init(5, &Device::flex()).unwrap();
    network.state_dict()
}

fn opened(weights: &StateDict) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    fs::write(&path, to_safetensors(weights)).unwrap();
    Checkpoint::open(&path, CheckpointFormat::Safetensors).unwrap()
}

fn under(prefix: &str, weights: &StateDict) -> StateDict {
    let named =
        |(name, tensor): (&String, &HostTensor)| (format!("{prefix}{name}"), tensor.clone());
    weights.iter().map(named).collect()
}

fn renamed() -> StateDict {
    rename(weights(), &architecture()).unwrap()
}

#[test]
fn a_round_trip_keeps_every_bit() {
    let theirs = renamed();
    assert_eq!(theirs["all_modules.0.weight"].shape, [6, 32]);
    assert_eq!(theirs["all_modules.2.weight"].shape, [6, 3]);
    assert_eq!(
        theirs["all_modules.5.t_conv.weights1"].shape,
        [32, 32, 2, 2]
    );
    for prefix in ["", "module."] {
        let file = opened(&under(prefix, &theirs));
        let read = read(&file, WeightSet::Ema, &architecture()).unwrap();
        assert_eq!(read, weights());
    }
}

#[test]
fn a_checkpoint_gives_the_set_that_is_asked_for() {
    let theirs = renamed();
    let zeros = |t: &HostTensor| HostTensor {
        values: vec![0.0; t.values.len()],
        ..t.clone()
    };
    let latest: StateDict = theirs.iter().map(|(n, t)| (n.clone(), zeros(t))).collect();
    let mut whole = under("ema.", &theirs);
    whole.extend(under("model.module.", &latest));
    let step = HostTensor {
        shape: vec![],
        values: vec![7.0],
    };
    whole.insert("optim.state.0.step".to_owned(), step.clone());
    let file = opened(&whole);
    let average = read(&file, WeightSet::Ema, &architecture()).unwrap();
    assert_eq!(average, weights());
    let latest = read(&file, WeightSet::Model, &architecture()).unwrap();
    assert!(latest.values().all(|t| t.values.iter().all(|&v| v == 0.0)));

    whole.insert("discriminator.weight".to_owned(), step);
    let error = read(&opened(&whole), WeightSet::Ema, &architecture()).unwrap_err();
    assert!(
        error.to_string().contains("discriminator.weight"),
        "{error}"
    );

    let only = opened(&under("model.", &theirs));
    let error = read(&only, WeightSet::Ema, &architecture()).unwrap_err();
    assert!(error.to_string().contains("`ema.`"), "{error}");
    assert!(read(&only, WeightSet::Model, &architecture()).is_ok());
}

#[test]
fn all_differences_are_listed_at_once() {
    let mut theirs = renamed();
    let bias = theirs.remove("all_modules.0.bias").unwrap();
    theirs.insert("all_modules.99.bias".to_owned(), bias);
    theirs.get_mut("all_modules.1.bias").unwrap().shape = vec![1, 6];
    let error = read(&opened(&theirs), WeightSet::Ema, &architecture()).unwrap_err();
    let ImportError::Weights(WeightError::Mismatch {
        missing,
        unexpected,
        misshapen,
    }) = error
    else {
        panic!("{error}");
    };
    assert_eq!(missing, ["all_modules.0.bias"]);
    assert_eq!(unexpected, ["all_modules.99.bias"]);
    assert_eq!(
        misshapen,
        [("all_modules.1.bias".to_owned(), vec![1, 6], vec![6])]
    );

    let mut ours = weights();
    ours.remove("stem.bias");
    assert!(rename(ours, &architecture()).is_err());
}

#[test]
fn networks_that_they_cannot_have_are_refused() {
    let refused = |change: &dyn Fn(&mut UNetConfig)| {
        let mut other = architecture();
        change(&mut other);
        check(&other).unwrap_err().to_string()
    };
    assert!(refused(&|a| a.attention_groups = 16).contains("attention_groups"));
    assert!(refused(&|a| a.residual_groups = Some(16)).contains("residual_groups"));
    let joint = refused(&|a| {
        a.temporal = None;
        a.output = Output::StateAndNoise;
    });
    assert!(joint.contains("state-and-noise"));
    let published = UNetConfig {
        base_channels: 128,
        residual_groups: Some(32),
        ..architecture()
    };
    assert!(check(&published).is_ok());
}

#[test]
fn what_is_written_for_pytorch_is_read_back() {
    let theirs = renamed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("solver-model_final.pt");
    dsno_checkpoint::to_torch(&theirs, fs::File::create(&path).unwrap()).unwrap();
    let file = Checkpoint::open(&path, CheckpointFormat::Torch).unwrap();
    for set in [WeightSet::Ema, WeightSet::Model] {
        assert_eq!(read(&file, set, &architecture()).unwrap(), weights());
    }
}

const PUBLISHED: &str = r#"{
    "data": {"dataset": "CIFAR10", "image_size": 32, "num_channels": 3, "num_steps": 512,
             "t_dim": 17, "t_idx": [0, 4, 8, 12, 16], "time_step": "quad", "epsilon": 0.0},
    "model": {"nf": 256, "temb_dim": 1024, "ch_mult": [1, 1, 1], "num_res_blocks": 3,
              "attn_resolutions": [8, 16], "num_attn_heads": 1, "dropout": 0.2, "num_classes": 0,
              "num_modes": 2, "time_conv": true, "with_nin": false, "pred_eps": false,
              "resblock_type": "biggan", "conditional": true, "logsnr_type": "inv_cos",
              "fourier_feature": false, "nonlinearity": "swish", "mean_type": "x",
              "num_t": 4, "num_pad": 0},
    "optim": {"lr": 0.0002}
}"#;

fn settings(changes: &[(&str, &str)]) -> Settings {
    let mut text = PUBLISHED.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from));
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn published_settings_give_the_published_network() {
    let settings = settings(&[]);
    let architecture = settings.architecture().unwrap();
    assert_eq!(architecture.parameter_count().unwrap(), 65_771_267);
    let times = settings.trajectory().unwrap().unwrap();
    assert_eq!(times.times, [0.5625, 0.25, 0.0625, 0.0]);
    assert!(times.padding.is_empty());
    assert_eq!(settings.ignored_keys(), ["data.dataset", "model.mean_type"]);
}

#[test]
fn settings_of_every_kind_are_understood() {
    let uniform = [
        ("\"num_steps\": 512", "\"num_steps\": 16"),
        ("\"t_dim\": 17", "\"t_dim\": 9"),
        ("[0, 4, 8, 12, 16]", "[0, 2, 4, 6, 8]"),
        ("\"quad\"", "\"uniform\""),
        (
            "\"num_attn_heads\": 1",
            "\"num_attn_heads\": 1, \"head_dim\": 64",
        ),
        ("\"pred_eps\": false", "\"pred_eps\": true"),
        (
            "\"num_t\": 4, \"num_pad\": 0",
            "\"num_t\": 2, \"num_pad\": 2",
        ),
    ];
    let settings = settings(&uniform);
    let architecture = settings.architecture().unwrap();
    assert_eq!(architecture.heads, Heads::Channels(64));
    assert_eq!(architecture.output, Output::NoiseMinusState);
    let expected = Trajectory {
        padding: vec![0.75, 0.5],
        times: vec![0.25, 0.0],
    };
    assert_eq!(settings.trajectory().unwrap(), Some(expected));
}

#[test]
fn settings_that_run_nowhere_are_refused_by_key() {
    let cases = BTreeMap::from([
        ("with_nin", ("\"with_nin\": false", "\"with_nin\": true")),
        (
            "conditional",
            ("\"conditional\": true", "\"conditional\": false"),
        ),
        (
            "fourier_feature",
            ("\"fourier_feature\": false", "\"fourier_feature\": true"),
        ),
        ("resblock_type", ("\"biggan\"", "\"DDPM\"")),
        ("logsnr_type", ("\"inv_cos\"", "\"sigmoid\"")),
        ("nonlinearity", ("\"swish\"", "\"relu\"")),
        ("channel_multipliers", ("[1, 1, 1]", "[]")),
    ]);
    for (key, change) in cases {
        let error = settings(&[change]).architecture().unwrap_err().to_string();
        assert!(error.contains(key), "{key}: {error}");
    }
    for change in [
        ("\"num_t\": 4", "\"num_t\": 5"),
        ("12, 16]", "12, 17]"),
        ("\"num_steps\": 512", "\"num_steps\": 256"),
        ("[0, 4,", "[4, 4,"),
        ("\"quad\"", "\"cubic\""),
    ] {
        assert!(settings(&[change]).trajectory().is_err(), "{change:?}");
    }
}
