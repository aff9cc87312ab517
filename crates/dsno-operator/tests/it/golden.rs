//! The network against an independent PyTorch reading of it in f64 (`tests/golden/derive/unet.py`).

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use dsno_operator::weights::{HostTensor, NamedWeights};
use dsno_operator::{Architecture, Heads, NoiseLevels, Output, Temporal, UNet};
use safetensors::SafeTensors;

/// Of the largest value: f32 against f64 through some 60 layers; f32 PyTorch differs by 3e-6.
const OUTPUT: f64 = 1e-5;
/// Of the largest gradient, for the same reason; sums over a parameter may err ten times as much.
const GRADIENT: f64 = 1e-4;

struct Case {
    name: &'static str,
    architecture: Architecture,
    log_snrs: Vec<f64>,
    per_sample: bool,
    labels: Option<Vec<u32>>,
}

fn cases() -> [Case; 3] {
    let base = Architecture {
        image_size: 8,
        image_channels: 3,
        base_channels: 32,
        embedding_channels: 48,
        channel_multipliers: vec![1, 3],
        res_blocks: 2,
        attention_resolutions: vec![8, 4],
        heads: Heads::Channels(16),
        attention_groups: 32,
        classes: 5,
        dropout: 0.0,
        temporal: Some(Temporal { n_modes: 3 }),
        output: Output::State,
    };
    let conditional = Case {
        name: "conditional",
        architecture: base.clone(),
        log_snrs: vec![-6.0, -2.0, 0.5, 4.0, 20.0],
        per_sample: false,
        labels: Some(vec![1, 4]),
    };
    let grey = Case {
        name: "grey",
        architecture: Architecture {
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
        architecture: Architecture {
            embedding_channels: 64,
            channel_multipliers: vec![1, 2],
            res_blocks: 1,
            attention_resolutions: vec![4],
            heads: Heads::Count(1),
            classes: 4,
            temporal: None,
            ..base
        },
        log_snrs: vec![-25.0, 3.0],
        per_sample: true,
        labels: Some(vec![0, 3]),
    };
    [conditional, grey, teacher]
}

/// `sin(12.9898 k + 0.61803 Σ bytes(name))`, the recipe of all weights and inputs.
fn wave(name: &str, k: usize) -> f64 {
    let phase: f64 = name.bytes().map(f64::from).sum();
    (12.9898 * k as f64 + 0.61803 * phase).sin()
}

/// The authors' name of a parameter of ours, and whether it lies transposed there.
fn authors_name(ours: &str, architecture: &Architecture, layers: usize) -> (String, bool) {
    let first = if architecture.classes > 0 { 4 } else { 3 };
    let leaf = if ours.ends_with("bias") || ours.ends_with("beta") {
        "bias"
    } else {
        "weight"
    };
    let at = |n: usize, rest: &str| format!("all_modules.{n}.{rest}");
    let mut parts = ours.split('.');
    match parts.next() {
        Some("embedding") if ours.contains("dense_0") => (at(0, leaf), true),
        Some("embedding") if ours.contains("dense_1") => (at(1, leaf), true),
        Some("embedding") => (at(2, leaf), true),
        Some("stem") => (at(first - 1, leaf), false),
        Some("norm") => (at(first + layers, leaf), false),
        Some("head") => (at(first + layers + 1, leaf), false),
        _ => {
            let n: usize = parts
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a layer's number");
            let rest: Vec<&str> = parts.collect();
            let nin = if leaf == "bias" { "b" } else { "W" };
            let (name, transposed) = match rest[0] {
                "norm_0" | "norm" => (format!("GroupNorm_0.{leaf}"), false),
                "norm_1" => (format!("GroupNorm_1.{leaf}"), false),
                "conv_0" => (format!("Conv_0.{leaf}"), false),
                "conv_1" => (format!("Conv_1.{leaf}"), false),
                "modulation" => (format!("Dense_0.{leaf}"), true),
                "shortcut" => (format!("NIN_0.{nin}"), false),
                "qkv" => (format!("NINs.{nin}"), false),
                "projection" => (format!("NIN_3.{nin}"), false),
                "weight" => ("t_conv.weights1".to_owned(), false),
                other => panic!("unknown parameter {other}"),
            };
            (at(first + n, &name), transposed)
        }
    }
}

fn recipe(name: &str, shape: &[usize], transposed: bool) -> Vec<f32> {
    let len: usize = shape.iter().product();
    let stored = |k: usize| -> f32 {
        let wave = wave(name, k);
        let value = if name.ends_with("bias") || name.ends_with(".b") {
            0.1 * wave
        } else if name.contains("GroupNorm") || shape.len() == 1 {
            1.0 + 0.2 * wave
        } else {
            let ours_in_first = transposed || name.ends_with(".W") || name.ends_with("weights1");
            let fan_in = if ours_in_first {
                shape[0]
            } else {
                shape[1..].iter().product()
            };
            1.2 / (fan_in as f64).sqrt() * wave
        };
        value as f32
    };
    if transposed && shape.len() == 2 {
        let [rows, columns] = [shape[0], shape[1]];
        (0..len)
            .map(|k| stored((k % columns) * rows + k / columns))
            .collect()
    } else {
        (0..len).map(stored).collect()
    }
}

fn golden() -> Result<Vec<u8>, Box<dyn Error>> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/unet.safetensors");
    Ok(std::fs::read(path)?)
}

fn values(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let tensor = file.tensor(name)?;
    let (chunks, _) = tensor.data().as_chunks::<8>();
    Ok(chunks
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect())
}

/// Sum and root of squares of every parameter's gradient, by our name.
struct Gather<'a> {
    gradients: &'a Gradients,
    path: Vec<Option<String>>,
    found: BTreeMap<String, [f64; 2]>,
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
        let values: Vec<f64> = gradient.into_data().iter::<f64>().collect();
        let square: f64 = values.iter().map(|v| v * v).sum();
        let name = self
            .path
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(".");
        self.found
            .insert(name, [values.iter().sum(), square.sqrt()]);
    }
}

fn build(case: &Case, device: &Device) -> Result<(UNet, usize), Box<dyn Error>> {
    let network = case.architecture.init(1, device)?;
    let fresh = network.named_weights();
    let layers = fresh
        .keys()
        .filter_map(|name| {
            name.strip_prefix("layers.")?
                .split('.')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .max()
        .map_or(0, |n| n + 1);
    let weights: NamedWeights = fresh
        .into_iter()
        .map(|(ours, tensor)| {
            let (name, transposed) = authors_name(&ours, &case.architecture, layers);
            let values = recipe(&name, &tensor.shape, transposed);
            (
                ours,
                HostTensor {
                    shape: tensor.shape,
                    values,
                },
            )
        })
        .collect();
    Ok((network.with_weights(weights)?, layers))
}

fn input(name: &str, shape: &[usize]) -> TensorData {
    let len = shape.iter().product();
    let values: Vec<f32> = (0..len).map(|k| (1.5 * wave(name, k)) as f32).collect();
    TensorData::new(values, shape.to_vec())
}

#[test]
fn answers_losses_and_gradients_are_those_of_the_reference() -> Result<(), Box<dyn Error>> {
    let bytes = golden()?;
    let file = SafeTensors::deserialize(&bytes)?;
    let device = Device::flex().autodiff();
    for case in cases() {
        let (network, layers) = build(&case, &Device::flex())?;
        let network = network.train();
        let (c, s) = (
            case.architecture.image_channels,
            case.architecture.image_size,
        );
        let z = Tensor::<4>::from_data(input("z", &[2, c, s, s]), &device).require_grad();
        let levels = if case.per_sample {
            NoiseLevels::PerSample(&case.log_snrs)
        } else {
            NoiseLevels::Shared(&case.log_snrs)
        };
        let answer = network.forward(z.clone(), levels, case.labels.as_deref());
        let expected = values(&file, &format!("{}.answer", case.name))?;
        close(&answer.clone().into_data(), &expected, OUTPUT, case.name);

        let target = Tensor::<5>::from_data(input("target", &answer.dims()), &device);
        let loss = (answer - target).abs().mean();
        let value = loss.clone().into_scalar::<f64>();
        let expected = values(&file, &format!("{}.loss", case.name))?[0];
        assert!(
            (value - expected).abs() < OUTPUT,
            "{} loss {value} {expected}",
            case.name
        );

        let gradients = loss.backward();
        let of_z = z.grad(&gradients).ok_or("no gradient of z")?;
        let expected = values(&file, &format!("{}.gradient.z", case.name))?;
        close(&of_z.into_data(), &expected, GRADIENT, case.name);

        let mut gather = Gather {
            gradients: &gradients,
            path: vec![],
            found: BTreeMap::new(),
        };
        network.visit(&mut gather);
        for (ours, found) in gather.found {
            let (name, _) = authors_name(&ours, &case.architecture, layers);
            let expected = values(&file, &format!("{}.gradient.{name}", case.name))?;
            let scale = expected[1].max(1e-3);
            for (found, expected) in found.iter().zip(&expected) {
                let error = (found - expected).abs() / scale;
                assert!(
                    error < 10.0 * GRADIENT,
                    "{} {ours}: {found} {expected}",
                    case.name
                );
            }
        }
    }
    Ok(())
}

#[track_caller]
fn close(found: &TensorData, expected: &[f64], tolerance: f64, what: &str) {
    let found: Vec<f64> = found.iter::<f64>().collect();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs())
        .fold(0.0, f64::max)
        / largest;
    assert!(
        worst <= tolerance,
        "{what}: worst relative difference {worst:e} above {tolerance:e}"
    );
}
