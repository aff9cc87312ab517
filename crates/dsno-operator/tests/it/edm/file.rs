//! Files of weights and of architectures: what is refused, and how.

use std::error::Error;

use burn::tensor::Device;
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_checkpoint::{HostTensor, StateDict, WeightError, to_safetensors};
use dsno_operator::family::edm::{EdmConfig, EdmModel, Preconditioning};
use dsno_operator::{ConfigError, NetworkConfig};

use super::case::{Case, cases, published};
use super::{Outcome, build};

fn ncsnpp() -> Result<Case, Box<dyn Error>> {
    let case = cases().into_iter().find(|case| case.name == "ncsnpp");
    Ok(case.ok_or("a case")?)
}

/// Writes the weights, and loads what was written.
fn through_file(architecture: &EdmConfig, weights: &StateDict) -> Loaded {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("weights.safetensors");
    std::fs::write(&path, to_safetensors(weights))?;
    let checkpoint = Checkpoint::open(&path, CheckpointFormat::Safetensors)?;
    let config = NetworkConfig::new(architecture.clone())?;
    let loaded = config.load(&checkpoint, &Device::flex());
    Ok(loaded.map(|network| network.state_dict()))
}

type Loaded = Result<Result<StateDict, WeightError>, Box<dyn Error>>;

#[test]
fn a_file_is_loaded_bit_for_bit() -> Outcome {
    for case in cases() {
        let weights = build(&case)?.state_dict();
        assert_eq!(through_file(&case.architecture, &weights)??, weights);
    }
    Ok(())
}

#[test]
fn a_missing_an_extra_and_a_misshapen_tensor_each_give_one_error() -> Outcome {
    let case = ncsnpp()?;
    let weights = build(&case)?.state_dict();
    let refused = |change: &dyn Fn(&mut StateDict)| {
        let mut weights = weights.clone();
        change(&mut weights);
        match through_file(&case.architecture, &weights)? {
            Err(WeightError::Mismatch {
                missing,
                unexpected,
                misshapen,
            }) => Ok((missing, unexpected, misshapen)),
            Err(other) => Err(Box::from(other)),
            Ok(_) => Err(Box::<dyn Error>::from("loaded")),
        }
    };
    let none = Vec::<String>::new;
    for name in [
        "model.dec.2x2_in0.qkv.weight",
        "model.enc.4x4_aux_residual.resample_filter",
        "model.map_noise.freqs",
    ] {
        let found = refused(&|weights| drop(weights.remove(name)))?;
        assert_eq!(found, (vec![name.to_owned()], none(), vec![]));
    }
    let extra = "model.enc.8x8_block1.norm0.weight".to_owned();
    let found = refused(&|weights| {
        let shape = vec![2];
        let values = vec![0.5, 1.0];
        weights.insert(extra.clone(), HostTensor { shape, values });
    })?;
    assert_eq!(found, (none(), vec![extra.clone()], vec![]));
    let long = "model.map_layer1.bias".to_owned();
    let found = refused(&|weights| {
        if let Some(tensor) = weights.get_mut(&long) {
            tensor.values.push(0.0);
            tensor.shape = vec![tensor.values.len()];
        }
    })?;
    assert_eq!(
        found,
        (none(), vec![], vec![(long.clone(), vec![61], vec![60])])
    );
    Ok(())
}

#[test]
fn another_resampling_filter_is_refused() -> Outcome {
    let case = ncsnpp()?;
    let mut weights = build(&case)?.state_dict();
    let filter = weights
        .get_mut("model.enc.4x4_down.conv0.resample_filter")
        .ok_or("a filter")?;
    assert_eq!(
        filter.values[..4],
        [1.0 / 64.0, 3.0 / 64.0, 3.0 / 64.0, 1.0 / 64.0]
    );
    filter.values[1] = f32::NAN;
    let error = through_file(&case.architecture, &weights)?.err();
    assert!(
        matches!(error, Some(WeightError::OtherFilter { .. })),
        "{error:?}"
    );
    Ok(())
}

#[test]
fn architectures_come_back_from_their_files() -> Outcome {
    let all = cases().into_iter().map(|case| case.architecture);
    for architecture in all.chain(published().into_iter().map(|(_, a)| a)) {
        let text = toml::to_string(&architecture)?;
        assert_eq!(toml::from_str::<EdmConfig>(&text)?, architecture);
    }
    let text = toml::to_string(&ncsnpp()?.architecture)?;
    for (right, wrong) in [
        ("num_blocks", "num_block"),
        ("channel_mult_noise", "channel_mult_noises"),
        ("[preconditioning]", "[preconditioning]\nsigma_data = 0.5"),
        ("VEPrecond", "EDMPrecond"),
        ("fourier", "Fourier"),
    ] {
        assert!(text.contains(right), "{right} in {text}");
        let wrong = text.replace(right, wrong);
        assert!(toml::from_str::<EdmConfig>(&wrong).is_err(), "{wrong}");
    }
    Ok(())
}

fn count(config: &EdmConfig) -> Result<usize, ConfigError> {
    Ok(NetworkConfig::new(config.clone())?.parameter_count())
}

#[test]
fn the_documented_file_is_read() -> Outcome {
    let source = include_str!("../../../src/family/edm/network.rs");
    let documented = source
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .ok_or("a documented file")?;
    let text: String = documented
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches("///")))
        .collect();
    let architecture: EdmConfig = toml::from_str(&text)?;
    let unlabelled = EdmConfig {
        label_dim: 0,
        augment_dim: 0,
        ..architecture.clone()
    };
    assert_eq!(count(&unlabelled)?, 55_732_739);
    assert!(count(&architecture)? > count(&unlabelled)?);
    Ok(())
}

#[test]
fn what_cannot_be_built_is_named() -> Outcome {
    let base = ncsnpp()?.architecture;
    let with = |change: &dyn Fn(&mut EdmConfig)| {
        let mut architecture = base.clone();
        change(&mut architecture);
        NetworkConfig::new(architecture).err()
    };
    let song = |change: &dyn Fn(&mut usize, &mut Vec<f64>)| {
        with(&|a| {
            if let EdmModel::SongUNet {
                channel_mult_noise,
                resample_filter,
                ..
            } = &mut a.model
            {
                change(channel_mult_noise, resample_filter);
            }
        })
    };
    assert_eq!(with(&|_| ()), None);
    let count = |key, found| {
        let (least, most) = (1, 4096);
        Some(ConfigError::Count {
            key,
            found,
            least,
            most,
        })
    };
    assert_eq!(with(&|a| a.channel_mult = vec![]), count("channel_mult", 0));
    assert_eq!(with(&|a| a.channel_mult[1] = 0), count("channel_mult", 0));
    let huge = usize::MAX;
    assert_eq!(
        with(&|a| a.channel_mult[1] = huge),
        count("channel_mult", huge)
    );
    assert_eq!(with(&|a| a.num_blocks = 0), count("num_blocks", 0));
    assert_eq!(song(&|noise, _| *noise = 0), count("channel_mult_noise", 0));
    for (preconditioning, refused) in [
        (
            Preconditioning::Edm {
                sigma_data: f64::NAN,
            },
            "sigma_data",
        ),
        (
            Preconditioning::VariancePreserving {
                beta_d: 19.9,
                beta_min: 0.0,
                steps: 1000,
            },
            "beta_min",
        ),
        (
            Preconditioning::ImprovedDdpm {
                c_1: 0.001,
                c_2: 0.008,
                steps: usize::MAX,
            },
            "M",
        ),
    ] {
        let error = with(&|a| a.preconditioning = preconditioning);
        assert!(matches!(error, Some(ConfigError::Range { key, .. }) if key == refused));
    }
    let size = with(&|a| a.img_resolution = 10);
    assert!(matches!(size, Some(ConfigError::Size { levels: 3, .. })));
    let attention = with(&|a| a.attn_resolutions.push(16));
    assert!(matches!(
        attention,
        Some(ConfigError::AttentionSize { asked: 16, .. })
    ));
    let dropout = with(&|a| a.dropout = f64::NAN);
    assert!(matches!(
        dropout,
        Some(ConfigError::Range { key: "dropout", .. })
    ));
    let groups = with(&|a| a.model_channels = 22);
    assert!(matches!(
        groups,
        Some(ConfigError::Groups { channels: 22, .. })
    ));
    let odd = song(&|_, taps| taps.push(1.0));
    assert!(matches!(odd, Some(ConfigError::Filter { .. })));
    let nothing = song(&|_, taps| *taps = vec![1.0, -1.0]);
    assert!(matches!(nothing, Some(ConfigError::Filter { .. })));
    let narrow = with(&|a| {
        a.model = EdmModel::DhariwalUNet {};
        a.model_channels = 2;
    });
    assert!(matches!(
        narrow,
        Some(ConfigError::Range {
            key: "width of the noise embedding",
            ..
        })
    ));
    let heads = with(&|a| {
        a.model = EdmModel::DhariwalUNet {};
        a.model_channels = 224;
        a.channel_mult = vec![1];
        a.attn_resolutions = vec![];
    });
    let channels = 224;
    assert!(
        matches!(heads, Some(ConfigError::Heads { channels: c, divisor: 3, .. }) if c == channels)
    );
    Ok(())
}
