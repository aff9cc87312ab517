//! The network against an independent PyTorch reading of it in f64 (`tests/golden/derive/unet.py`).

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_checkpoint::{HostTensor, StateDict, to_safetensors};
use dsno_operator::interop::{WeightSet, dsno_pytorch};
use dsno_operator::{Heads, Output, TemporalConvConfig, Timesteps, UNet, UNetConfig};
use safetensors::SafeTensors;

use crate::support::{close, golden, input, values, wave};

/// Absolute, of answers of order one: f32 against f64 through some 60 layers; f32 PyTorch differs by
/// 3e-6.
const OUTPUT: f64 = 1e-5;
/// Of the largest gradient of a tensor, for the same reason.
const GRADIENT: f64 = 1e-4;

struct Case {
    name: &'static str,
    architecture: UNetConfig,
    log_snrs: Vec<f64>,
    per_sample: bool,
    labels: Option<Vec<u32>>,
}

fn cases() -> Vec<Case> {
    let base = UNetConfig::new(8, 3)
        .with_base_channels(32)
        .with_embedding_channels(48)
        .with_channel_multipliers(vec![1, 3])
        .with_attention_resolutions(vec![8, 4])
        .with_heads(Heads::Channels(16))
        .with_classes(5)
        .with_temporal(Some(TemporalConvConfig { n_modes: 3 }));
    let conditional = Case {
        name: "conditional",
        architecture: base.clone(),
        log_snrs: vec![-6.0, -2.0, 0.5, 4.0, 20.0],
        per_sample: false,
        labels: Some(vec![1, 4]),
    };
    let grey = Case {
        name: "grey",
        architecture: UNetConfig {
            image_channels: 1,
            embedding_channels: 40,
            channel_multipliers: vec![1, 1, 2],
            res_blocks: 1,
            attention_resolutions: vec![4],
            heads: Heads::Count(2),
            classes: 0,
            output: Output::NoiseMinusState,
            ..base.clone()
        },
        log_snrs: vec![-2.0, 0.0, 2.0, 9.0],
        per_sample: false,
        labels: None,
    };
    let teacher = Case {
        name: "teacher",
        architecture: UNetConfig {
            embedding_channels: 64,
            channel_multipliers: vec![1, 2],
            res_blocks: 1,
            attention_resolutions: vec![4],
            heads: Heads::Count(1),
            classes: 4,
            temporal: None,
            ..base.clone()
        },
        log_snrs: vec![-25.0, 3.0],
        per_sample: true,
        labels: Some(vec![0, 3]),
    };
    let published = Case {
        name: "published",
        architecture: UNetConfig {
            image_size: 12,
            attention_resolutions: vec![6],
            classes: 0,
            temporal: Some(TemporalConvConfig { n_modes: 2 }),
            ..teacher.architecture.clone()
        },
        log_snrs: vec![-0.394, 1.763, 4.643, 20.0],
        per_sample: false,
        labels: None,
    };
    let single = Case {
        name: "single",
        architecture: UNetConfig {
            image_size: 4,
            embedding_channels: 32,
            channel_multipliers: vec![1],
            attention_resolutions: vec![],
            ..published.architecture.clone()
        },
        log_snrs: vec![20.0],
        per_sample: false,
        labels: None,
    };
    let pair = Case {
        name: "pair",
        architecture: UNetConfig {
            image_channels: 2,
            channel_multipliers: vec![2],
            attention_resolutions: vec![4],
            ..single.architecture.clone()
        },
        log_snrs: vec![-1.0, 6.0],
        per_sample: false,
        labels: None,
    };
    vec![conditional, grey, teacher, published, single, pair]
}

/// The values of a parameter, by its name and shape in the authors' checkpoints.
fn recipe(name: &str, shape: &[usize]) -> Vec<f32> {
    let stored = |k: usize| -> f32 {
        let wave = wave(name, k);
        let value = if name.ends_with("bias") || name.ends_with(".b") {
            0.1 * wave
        } else if name.contains("GroupNorm") || shape.len() == 1 {
            1.0 + 0.2 * wave
        } else {
            let fan_in: usize = if name.ends_with(".W") || name.ends_with("weights1") {
                shape[0]
            } else {
                shape[1..].iter().product()
            };
            1.5 / (fan_in as f64).sqrt() * wave
        };
        value as f32
    };
    (0..shape.iter().product()).map(stored).collect()
}

/// A network with the recipe's weights, read from a file as the authors would write it.
fn build(case: &Case, device: &Device) -> Result<UNet, Box<dyn Error>> {
    let network = case.architecture.init(1, device)?;
    let mut theirs = dsno_pytorch::rename(network.state_dict(), &case.architecture)?;
    for (name, tensor) in &mut theirs {
        tensor.values = recipe(name, &tensor.shape);
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("weights.safetensors");
    fs::write(&path, to_safetensors(&theirs))?;
    let file = Checkpoint::open(&path, CheckpointFormat::Safetensors)?;
    let weights = dsno_pytorch::read(&file, WeightSet::Ema, &case.architecture)?;
    Ok(network.load_state_dict(weights)?)
}

/// Every parameter's gradient, by our name.
struct Gather<'a> {
    gradients: &'a Gradients,
    path: Vec<Option<String>>,
    found: StateDict,
}

impl ModuleVisitor for Gather<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path
            .push((!container.starts_with("Enum")).then(|| name.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param
            .val()
            .grad(self.gradients)
            .expect("every parameter has a gradient");
        let shape = gradient.dims().to_vec();
        let values = gradient.into_data().iter::<f32>().collect();
        let name: Vec<&str> = self.path.iter().flatten().map(String::as_str).collect();
        self.found
            .insert(name.join("."), HostTensor { shape, values });
    }
}

#[test]
fn answers_losses_and_gradients_are_those_of_the_reference() -> Result<(), Box<dyn Error>> {
    let bytes = golden("unet.safetensors")?;
    let file = SafeTensors::deserialize(&bytes)?;
    for device in crate::devices() {
        let plain = device.autodiff();
        // Recomputing activations on the way back must change nothing.
        let checkpointed = plain.clone().gradient_checkpointing();
        for case in cases() {
            for device in [&plain, &checkpointed] {
                compare(&case, &file, device)?;
            }
        }
    }
    Ok(())
}

fn compare(case: &Case, file: &SafeTensors<'_>, device: &Device) -> Result<(), Box<dyn Error>> {
    let network = build(case, device)?.train();
    let (c, s) = (
        case.architecture.image_channels,
        case.architecture.image_size,
    );
    let z = Tensor::<4>::from_data(input("z", &[2, c, s, s]), device).require_grad();
    let levels = if case.per_sample {
        Timesteps::PerSample(&case.log_snrs)
    } else {
        Timesteps::Shared(&case.log_snrs)
    };
    let answer = network.forward(z.clone(), levels, case.labels.as_deref());
    let expected = values(file, &format!("{}.answer", case.name))?;
    close(&answer.clone().into_data(), &expected, OUTPUT, case.name);

    let target = Tensor::<5>::from_data(input("target", &answer.dims()), device);
    let loss = (answer - target).abs().mean();
    let value = loss.clone().into_scalar::<f64>();
    let expected = values(file, &format!("{}.loss", case.name))?[0];
    assert!(
        (value - expected).abs() < OUTPUT,
        "{} loss {value} {expected}",
        case.name
    );

    let gradients = loss.backward();
    let of_z = z.grad(&gradients).ok_or("no gradient of z")?;
    let expected = values(file, &format!("{}.gradient.z", case.name))?;
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    close(&of_z.into_data(), &expected, GRADIENT * largest, case.name);

    let mut gather = Gather {
        gradients: &gradients,
        path: vec![],
        found: StateDict::new(),
    };
    network.visit(&mut gather);
    let found = dsno_pytorch::rename(gather.found, &case.architecture)?;
    let prefix = format!("{}.gradient.", case.name);
    let known: BTreeSet<&str> = file
        .names()
        .into_iter()
        .filter_map(|name| name.strip_prefix(prefix.as_str()))
        .filter(|name| *name != "z")
        .collect();
    assert!(found.keys().map(String::as_str).eq(known), "{}", case.name);
    for (name, gradient) in found {
        let expected = values(file, &format!("{prefix}{name}"))?;
        let numbers = || gradient.values.iter().map(|&v| f64::from(v));
        let norm = numbers().map(|v| v * v).sum::<f64>().sqrt();
        // A sum of n entries may err as √n of them do.
        let scale = expected[1].max(1e-3);
        let root = (gradient.values.len() as f64).sqrt();
        for (found, expected, allowed) in [
            (numbers().sum(), expected[0], root * GRADIENT),
            (norm, expected[1], GRADIENT),
        ] {
            let error = (found - expected).abs() / scale;
            assert!(error < allowed, "{} {name}: {found} {expected}", case.name);
        }
    }
    Ok(())
}

#[test]
fn padding_takes_part_and_is_not_answered() -> Result<(), Box<dyn Error>> {
    for device in crate::devices() {
        padding(&cases()[3], &device)?;
    }
    Ok(())
}

fn padding(case: &Case, device: &Device) -> Result<(), Box<dyn Error>> {
    let network = build(case, device)?;
    let z = Tensor::<4>::from_data(input("z", &[2, 3, 12, 12]), device);
    let levels = &case.log_snrs;
    let all = network.forward(z.clone(), Timesteps::Shared(levels), None);
    let kept = network.forward_padded(z.clone(), levels, 2, None);
    assert_eq!(kept.dims(), [2, 2, 3, 12, 12]);
    let same = all.narrow(1, 2, 2).into_data();
    assert_eq!(kept.clone().into_data(), same);
    // The Fourier modes are those of four times, not of two.
    let without = network.forward(z, Timesteps::Shared(&levels[2..]), None);
    let change = (kept - without).abs().max().into_scalar::<f32>();
    assert!(change > 0.01, "{change}");
    Ok(())
}
