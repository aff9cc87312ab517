use std::collections::BTreeMap;
use std::fs;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_checkpoint::{StateDict, WeightError, to_safetensors};
use dsno_ode::{Ddim, Denoiser, NoiseLevel, NoiseSchedule, Schedule, TimeGrid, solve};
use dsno_operator::family::diffusers::DiffusersConfig;
use dsno_operator::{Condition, DdpmProcess, NetworkConfig, UNet};
use safetensors::SafeTensors;
use serde_json::Value;

use super::{Outcome, close, golden, input, predict, values, with_recipe};

struct Case {
    name: &'static str,
    times: &'static [f64],
    labels: Option<&'static [u32]>,
}

const CASES: [Case; 5] = [
    Case {
        name: "ddpm",
        times: &[999.0, 12.0],
        labels: None,
    },
    Case {
        name: "labels",
        times: &[0.0, 377.0],
        labels: Some(&[4, 0]),
    },
    Case {
        name: "numbers",
        times: &[3.0, 31.0],
        labels: Some(&[7, 250]),
    },
    Case {
        name: "vectors",
        times: &[600.0],
        labels: None,
    },
    Case {
        name: "bare",
        times: &[77.0],
        labels: None,
    },
];

/// Configurations as diffusers wrote them.
fn configs() -> Result<BTreeMap<String, Value>, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(golden("diffusers.json"))?;
    Ok(serde_json::from_str(&text)?)
}

fn image(architecture: &DiffusersConfig) -> Tensor<4> {
    let (c, s) = (architecture.in_channels, architecture.sample_size);
    input("z", [2, c, s, s])
}

/// Answers at the case's own times, and images at a third of the table.
fn check(
    case: &Case,
    architecture: &DiffusersConfig,
    network: &UNet,
    file: &SafeTensors<'_>,
) -> Outcome {
    let z = image(architecture);
    let answer = match case.name {
        "vectors" => {
            let vectors = input("vectors", [2, 32]);
            predict(
                network,
                z.clone(),
                case.times,
                Some(Condition::Vectors(&vectors)),
            )
        }
        _ => predict(
            network,
            z.clone(),
            case.times,
            case.labels.map(Condition::Labels),
        ),
    };
    let name = format!("{}.answer", case.name);
    close(answer, &values(file, &name)?, &name);
    if case.name == "vectors" {
        return Ok(());
    }
    let DdpmProcess::Table {
        schedule: NoiseSchedule::Discrete(table),
        ..
    } = &architecture.process
    else {
        panic!("{} has no table", case.name);
    };
    let at = table.at(table.time_of((table.entries() / 3) as f64));
    let exploding = NoiseLevel::variance_exploding((-0.5 * at.log_snr()).exp());
    let model = network.denoiser(case.labels.map(<[u32]>::to_vec), false);
    let name = format!("{}.image", case.name);
    let expected = values(file, &name)?;
    close(model.denoise(z.clone(), at), &expected, &name);
    let x_hat = model.denoise(z / at.alpha(), exploding);
    close(x_hat, &expected, &format!("{name}, states in other units"));
    Ok(())
}

#[test]
fn answers_and_images_are_those_of_the_library() -> Outcome {
    let bytes = fs::read(golden("diffusers.safetensors"))?;
    let file = SafeTensors::deserialize(&bytes)?;
    let configs = configs()?;
    for case in &CASES {
        let spec = &configs[case.name];
        let config = (spec["config"].to_string(), spec["scheduler"].to_string());
        let architecture = DiffusersConfig::from_json(&config.0, &config.1)?;
        let parameters = spec["parameters"].as_u64().ok_or("no count")?;
        let network = NetworkConfig::new(architecture.clone())?;
        assert_eq!(
            network.parameter_count() as u64,
            parameters,
            "{}",
            case.name
        );
        let toml = toml::to_string(&architecture)?;
        assert_eq!(toml::from_str::<DiffusersConfig>(&toml)?, architecture);

        let network = with_recipe(&network)?;
        check(case, &architecture, &network, &file)?;
    }
    Ok(())
}

#[test]
fn a_folder_that_the_library_saved_loads() -> Outcome {
    let bytes = fs::read(golden("diffusers.safetensors"))?;
    let file = SafeTensors::deserialize(&bytes)?;
    let folder = golden("diffusers");
    let architecture = DiffusersConfig::from_folder(&folder)?;
    let config = NetworkConfig::new(architecture.clone())?;
    let path = folder.join("diffusion_pytorch_model.safetensors");
    let checkpoint = Checkpoint::open(&path, CheckpointFormat::Safetensors)?;
    let network = config.load(&checkpoint, &Device::flex())?;
    check(&CASES[0], &architecture, &network, &file)?;

    // The published sampler, driven by our solver. Random weights do not denoise, so that the first
    // image is some hundred times too large.
    let DdpmProcess::Table { schedule, .. } = &architecture.process else {
        panic!("no table");
    };
    let model = network.denoiser(None, false);
    let grid = TimeGrid::uniform(4)?;
    let solution = solve(&model, &Ddim, schedule, &grid, image(&architecture), &[0.0])?;
    let expected = values(&file, "ddpm.ddim")?;
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let scaled: Vec<f64> = expected.iter().map(|v| v / largest).collect();
    close(
        solution.states[0].clone() / largest,
        &scaled,
        "ddpm.ddim, of the largest",
    );

    // Older files call the maps of attention otherwise.
    let renamed = |name: &str| {
        let older = [
            ("to_q", "query"),
            ("to_k", "key"),
            ("to_v", "value"),
            ("to_out.0", "proj_attn"),
        ];
        older
            .iter()
            .fold(name.to_owned(), |name, (present, older)| {
                name.replace(present, older)
            })
    };
    let weights = network.state_dict();
    let old = weights
        .iter()
        .map(|(name, tensor)| (renamed(name), tensor.clone()));
    let old: StateDict = old.collect();
    assert!(old.contains_key("mid_block.attentions.0.proj_attn.bias"));
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("old.safetensors");
    fs::write(&path, to_safetensors(&old))?;
    let checkpoint = Checkpoint::open(&path, CheckpointFormat::Safetensors)?;
    let network = config.load(&checkpoint, &Device::flex())?;
    assert_eq!(network.state_dict(), weights);
    Ok(())
}

#[test]
fn every_difference_is_listed_at_once_under_original_names() -> Outcome {
    let architecture = DiffusersConfig::from_folder(&golden("diffusers"))?;
    let network = NetworkConfig::new(architecture)?.init(1, &Device::flex());
    let mut weights = network.state_dict();
    let bias = weights.remove("conv_in.bias").ok_or("no such tensor")?;
    weights.insert("conv_in.bios".to_owned(), bias);
    let tensor = weights.get_mut("conv_out.weight").ok_or("no such tensor")?;
    tensor.shape = vec![3, 8, 9];
    let Err(WeightError::Mismatch {
        missing,
        unexpected,
        misshapen,
    }) = network.load_state_dict(weights)
    else {
        panic!("accepted");
    };
    assert_eq!(missing, ["conv_in.bias"]);
    assert_eq!(unexpected, ["conv_in.bios"]);
    assert_eq!(
        misshapen,
        [(
            "conv_out.weight".to_owned(),
            vec![3, 8, 9],
            vec![3, 8, 3, 3]
        )]
    );
    Ok(())
}
