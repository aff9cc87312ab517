use std::fs;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_ode::{Denoiser, DiscreteSchedule, NoiseLevel, NoiseSchedule, Prediction, Schedule};
use dsno_operator::family::guided_diffusion::GuidedDiffusionConfig;
use dsno_operator::{Condition, DdpmProcess, NetworkConfig};
use safetensors::SafeTensors;

use super::{Outcome, close, golden, input, predict, values, with_recipe};

struct Case {
    name: &'static str,
    architecture: GuidedDiffusionConfig,
    times: &'static [f64],
    labels: Option<&'static [u32]>,
}

/// What all cases have that do not say otherwise.
fn base() -> GuidedDiffusionConfig {
    let table = DiscreteSchedule::squared_cosine(4000).expect("a table");
    GuidedDiffusionConfig {
        image_size: 8,
        image_channels: 3,
        num_channels: 32,
        num_res_blocks: 1,
        channel_mult: vec![1.0],
        attention_resolutions: vec![],
        num_heads: 1,
        num_head_channels: None,
        num_heads_upsample: None,
        use_scale_shift_norm: false,
        resblock_updown: false,
        conv_resample: true,
        use_new_attention_order: false,
        num_classes: 0,
        learn_sigma: false,
        dropout: 0.1,
        process: DdpmProcess::Table {
            prediction: Prediction::Epsilon,
            rescale_timesteps: true,
            schedule: table.into(),
        },
    }
}

fn cases() -> [Case; 5] {
    [
        Case {
            name: "improved",
            architecture: GuidedDiffusionConfig {
                num_res_blocks: 2,
                channel_mult: vec![1.0, 2.0, 2.0],
                attention_resolutions: vec![4],
                num_heads: 2,
                num_heads_upsample: Some(4),
                learn_sigma: true,
                ..base()
            },
            times: &[999.0, 12.25],
            labels: None,
        },
        Case {
            name: "guided",
            architecture: GuidedDiffusionConfig {
                image_channels: 1,
                num_channels: 64,
                channel_mult: vec![0.5, 1.0],
                attention_resolutions: vec![8, 4],
                num_head_channels: Some(16),
                use_scale_shift_norm: true,
                resblock_updown: true,
                num_classes: 5,
                learn_sigma: true,
                ..base()
            },
            times: &[0.0, 700.5],
            labels: Some(&[4, 0]),
        },
        Case {
            name: "consistency",
            architecture: GuidedDiffusionConfig {
                channel_mult: vec![1.0, 2.0],
                attention_resolutions: vec![4],
                num_heads: 4,
                use_scale_shift_norm: true,
                resblock_updown: true,
                use_new_attention_order: true,
                num_classes: 3,
                process: DdpmProcess::Karras {
                    sigma_data: 0.5,
                    sigma_min: 0.002,
                },
                ..base()
            },
            times: &[-1553.5, 1095.5],
            labels: Some(&[2, 1]),
        },
        Case {
            name: "bare",
            architecture: GuidedDiffusionConfig {
                channel_mult: vec![1.0, 1.0],
                conv_resample: false,
                ..base()
            },
            times: &[250.0],
            labels: None,
        },
        Case {
            name: "file",
            architecture: GuidedDiffusionConfig {
                image_size: 4,
                image_channels: 1,
                num_heads: 2,
                ..base()
            },
            times: &[431.0],
            labels: None,
        },
    ]
}

fn image(architecture: &GuidedDiffusionConfig) -> Tensor<4> {
    let (c, s) = (architecture.image_channels, architecture.image_size);
    input("z", [2, c, s, s])
}

#[test]
fn answers_are_those_of_the_reference() -> Outcome {
    let bytes = fs::read(golden("guided.safetensors"))?;
    let file = SafeTensors::deserialize(&bytes)?;
    for case in cases() {
        let architecture = case.architecture;
        let toml = toml::to_string(&architecture)?;
        assert_eq!(
            toml::from_str::<GuidedDiffusionConfig>(&toml)?,
            architecture
        );
        let config = NetworkConfig::new(architecture.clone())?;
        let network = if case.name == "file" {
            // Half precision, and two blocks that are one.
            let checkpoint = Checkpoint::open(&golden("guided.pt"), CheckpointFormat::Torch)?;
            config.load(&checkpoint, &Device::flex())?
        } else {
            with_recipe(&config)?
        };
        let z = image(&architecture);
        let answer = predict(
            &network,
            z.clone(),
            case.times,
            case.labels.map(Condition::Labels),
        );
        let name = format!("{}.answer", case.name);
        close(answer, &values(&file, &name)?, &name);

        if case.name == "consistency" {
            // Their files have the maps of attention as convolutions over images.
            let mut weights = network.state_dict();
            let maps = weights
                .values_mut()
                .filter(|tensor| tensor.shape.len() == 3);
            assert_eq!(maps.map(|tensor| tensor.shape.push(1)).count(), 8);
            let same = config.init(2, &Device::flex()).load_state_dict(weights)?;
            assert_eq!(same.state_dict(), network.state_dict());

            let model = network.denoiser(case.labels.map(<[u32]>::to_vec), false);
            for (level, sigma) in [("low", 0.1), ("high", 20.0)] {
                let name = format!("{}.{level}", case.name);
                let expected = values(&file, &name)?;
                let exploding = NoiseLevel::variance_exploding(sigma);
                let x_hat = model.denoise(z.clone() * sigma, exploding);
                close(x_hat, &expected, &name);
                let preserving = NoiseLevel::from_log_snr(exploding.log_snr());
                let x_hat = model.denoise(z.clone() * (sigma * preserving.alpha()), preserving);
                close(x_hat, &expected, &format!("{name}, states in other units"));
            }
        }
    }
    Ok(())
}

#[test]
fn a_longer_table_is_told_as_a_thousand_entries() -> Outcome {
    let architecture = GuidedDiffusionConfig {
        image_size: 4,
        ..base()
    };
    let network = NetworkConfig::new(architecture.clone())?.init(1, &Device::flex());
    let DdpmProcess::Table {
        schedule: NoiseSchedule::Discrete(ref table),
        ..
    } = architecture.process
    else {
        panic!("no table");
    };
    let at = table.at(table.time_of(1002.0));
    let z = image(&architecture);
    let told = predict(&network, z.clone(), &[250.5], None);
    let x_hat = Prediction::Epsilon.to_x(told, z.clone(), at);
    let expected: Vec<f64> = x_hat.into_data().iter::<f64>().collect();
    close(
        network.denoiser(None, false).denoise(z, at),
        &expected,
        "index 1002 of 4000",
    );
    Ok(())
}

#[test]
fn published_networks_have_their_published_sizes() -> Outcome {
    // Counts of the PyTorch reading; 296 M and 559 M as arXiv:2105.05233 reports them.
    let imagenet_64 = GuidedDiffusionConfig {
        image_size: 64,
        num_channels: 192,
        num_res_blocks: 3,
        channel_mult: vec![1.0, 2.0, 3.0, 4.0],
        attention_resolutions: vec![32, 16, 8],
        num_head_channels: Some(64),
        use_scale_shift_norm: true,
        resblock_updown: true,
        num_classes: 1000,
        learn_sigma: true,
        ..base()
    };
    assert_eq!(
        NetworkConfig::new(imagenet_64.clone())?.parameter_count(),
        295_904_454
    );
    let imagenet_512 = GuidedDiffusionConfig {
        image_size: 512,
        num_channels: 256,
        num_res_blocks: 2,
        channel_mult: vec![0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0],
        ..imagenet_64
    };
    assert_eq!(
        NetworkConfig::new(imagenet_512.clone())?.parameter_count(),
        558_997_638
    );
    let cifar_10 = GuidedDiffusionConfig {
        image_size: 32,
        num_channels: 128,
        num_res_blocks: 3,
        channel_mult: vec![1.0, 2.0, 2.0, 2.0],
        attention_resolutions: vec![16, 8],
        num_heads: 4,
        use_scale_shift_norm: true,
        learn_sigma: true,
        ..base()
    };
    assert_eq!(
        NetworkConfig::new(cifar_10.clone())?.parameter_count(),
        52_546_438
    );
    Ok(())
}

#[test]
fn impossible_architectures_are_refused_by_key_and_value() {
    let refused: [(GuidedDiffusionConfig, &str); 7] = [
        (
            GuidedDiffusionConfig {
                num_res_blocks: 0,
                ..base()
            },
            "`num_res_blocks` is 0, expected 1 to 256",
        ),
        (
            GuidedDiffusionConfig {
                channel_mult: vec![1.0, -2.0],
                ..base()
            },
            "`channel_mult` is -2",
        ),
        (
            GuidedDiffusionConfig {
                channel_mult: vec![1.0, 1.5],
                ..base()
            },
            "`input_blocks.3.0` normalises",
        ),
        (
            GuidedDiffusionConfig {
                attention_resolutions: vec![16],
                ..base()
            },
            "has 16",
        ),
        (
            GuidedDiffusionConfig {
                channel_mult: vec![1.0; 5],
                ..base()
            },
            "divisible by 16",
        ),
        (
            GuidedDiffusionConfig {
                num_head_channels: Some(24),
                ..base()
            },
            "`middle_block.1`",
        ),
        (
            GuidedDiffusionConfig {
                dropout: 1.0,
                ..base()
            },
            "`dropout` is 1",
        ),
    ];
    for (architecture, words) in refused {
        let error = NetworkConfig::new(architecture).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let process = DdpmProcess::Karras {
        sigma_data: 0.0,
        sigma_min: 0.0,
    };
    assert!(NetworkConfig::new(GuidedDiffusionConfig { process, ..base() }).is_err());
}
