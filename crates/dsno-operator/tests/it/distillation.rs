//! Progressive distillation's networks against a PyTorch re-implementation of them in f64
//! (`tests/golden/derive/flax_pd.py`), through a Flax file with the recipe's weights.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_operator::interop::{WeightSet, progressive_distillation};
use dsno_operator::{Heads, Output, Timesteps, UNetConfig};
use safetensors::SafeTensors;

use crate::support::{close, golden, input, values, wave};

/// Absolute, of answers of order one: f32 against f64.
const OUTPUT: f64 = 1e-5;

struct Case {
    name: &'static str,
    architecture: UNetConfig,
    log_snrs: [f64; 2],
    labels: Option<[u32; 2]>,
}

fn cases() -> [Case; 3] {
    let both = UNetConfig {
        image_size: 8,
        image_channels: 3,
        base_channels: 32,
        embedding_channels: 48,
        channel_multipliers: vec![1, 3],
        res_blocks: 1,
        attention_resolutions: vec![4],
        heads: Heads::Channels(32),
        attention_groups: 32,
        residual_groups: Some(32),
        classes: 5,
        dropout: 0.0,
        temporal: None,
        output: Output::StateAndNoise,
    };
    let single = UNetConfig {
        embedding_channels: 32,
        channel_multipliers: vec![1, 1],
        res_blocks: 2,
        attention_resolutions: vec![8, 4],
        heads: Heads::Count(1),
        classes: 0,
        output: Output::State,
        ..both.clone()
    };
    let heads = UNetConfig {
        image_size: 4,
        image_channels: 1,
        channel_multipliers: vec![2],
        res_blocks: 1,
        attention_resolutions: vec![4],
        heads: Heads::Count(4),
        output: Output::StateAndNoise,
        ..single.clone()
    };
    let case = |name, architecture, log_snrs, labels| Case {
        name,
        architecture,
        log_snrs,
        labels,
    };
    [
        case("both", both, [-1.5, 4.0], Some([1, 4])),
        case("single", single, [-25.0, 2.5], None),
        case("heads", heads, [0.0, -6.0], None),
    ]
}

/// The values of a parameter, by its name and shape in the Flax file.
fn recipe(name: &str, shape: &[usize]) -> Vec<f32> {
    // Queries, keys and values have two axes that come out.
    let apart = ["/q/", "/k/", "/v/"].iter().any(|part| name.contains(part));
    let axes_in = shape.len() - if apart { 2 } else { 1 };
    let fan_in: usize = shape.iter().take(axes_in).product();
    let value = |k| {
        let wave = wave(name, k);
        let value = match name.rsplit('/').next() {
            Some("scale") => 1.0 + 0.2 * wave,
            Some("bias") => 0.1 * wave,
            _ => 1.5 / (fan_in as f64).sqrt() * wave,
        };
        value as f32
    };
    (0..shape.iter().product()).map(value).collect()
}

/// A tree of parameters as Flax writes it: maps by name, arrays as extension 1 of shape, type, bytes.
enum Tree {
    Branch(BTreeMap<String, Self>),
    Array(Vec<usize>, Vec<f32>),
    Count(u8),
}

impl Tree {
    fn insert(&mut self, path: &str, tree: Self) {
        let Self::Branch(branches) = self else {
            panic!("{path} lies in an array");
        };
        match path.split_once('/') {
            None => drop(branches.insert(path.to_owned(), tree)),
            Some((first, rest)) => branches
                .entry(first.to_owned())
                .or_insert_with(|| Self::Branch(BTreeMap::new()))
                .insert(rest, tree),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Branch(branches) => {
                out.push(0xDF);
                out.extend((branches.len() as u32).to_be_bytes());
                for (name, tree) in branches {
                    text(name, out);
                    tree.write(out);
                }
            }
            Self::Array(shape, values) => {
                let mut inner = vec![0x93, 0x90 | shape.len() as u8];
                for axis in shape {
                    inner.push(0xCD);
                    inner.extend((*axis as u16).to_be_bytes());
                }
                text("float32", &mut inner);
                inner.push(0xC6);
                inner.extend((4 * values.len() as u32).to_be_bytes());
                inner.extend(values.iter().flat_map(|v| v.to_le_bytes()));
                out.push(0xC9);
                out.extend((inner.len() as u32).to_be_bytes());
                out.push(1);
                out.extend(inner);
            }
            Self::Count(count) => out.push(*count),
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(0xD9);
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

/// A training state with the parameters that the golden file lists.
fn state(case: &Case, file: &SafeTensors<'_>) -> Result<Vec<u8>, Box<dyn Error>> {
    let prefix = format!("{}.shape.", case.name);
    let mut tree = Tree::Branch(BTreeMap::new());
    for full in file.names() {
        let Some(name) = full.strip_prefix(prefix.as_str()) else {
            continue;
        };
        let tensor = file.tensor(full)?;
        let (axes, _) = tensor.data().as_chunks::<8>();
        let shape: Vec<usize> = axes
            .iter()
            .map(|b| i64::from_le_bytes(*b) as usize)
            .collect();
        let values = recipe(name, &shape);
        let zeros = vec![0.0; values.len()];
        tree.insert(
            &format!("ema_params/{name}"),
            Tree::Array(shape.clone(), values),
        );
        tree.insert(
            &format!("optimizer/target/{name}"),
            Tree::Array(shape, zeros),
        );
    }
    tree.insert("step", Tree::Count(7));
    tree.insert("num_sample_steps", Tree::Count(16));
    let mut bytes = Vec::new();
    tree.write(&mut bytes);
    Ok(bytes)
}

#[test]
fn answers_are_those_of_the_original() -> Result<(), Box<dyn Error>> {
    let bytes = golden("flax_pd.safetensors")?;
    let file = SafeTensors::deserialize(&bytes)?;
    let device = Device::flex();
    for case in cases() {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("checkpoint");
        fs::write(&path, state(&case, &file)?)?;
        let checkpoint = Checkpoint::open(&path, CheckpointFormat::Flax)?;
        let weights =
            progressive_distillation::read(&checkpoint, WeightSet::Ema, &case.architecture)?;
        let network = case
            .architecture
            .init(0, &device)?
            .load_state_dict(weights)?;

        let (c, s) = (
            case.architecture.image_channels,
            case.architecture.image_size,
        );
        let z = Tensor::<4>::from_data(input("z", &[2, c, s, s]), &device);
        let levels = Timesteps::PerSample(&case.log_snrs);
        let labels = case.labels.as_ref().map(|labels| &labels[..]);
        let answer = network.forward(z, levels, labels);
        let expected = values(&file, &format!("{}.answer", case.name))?;
        close(&answer.into_data(), &expected, OUTPUT, case.name);

        let latest =
            progressive_distillation::read(&checkpoint, WeightSet::Model, &case.architecture)?;
        assert!(latest.values().all(|t| t.values.iter().all(|&v| v == 0.0)));
    }
    Ok(())
}
