//! U-Nets of the DDPM family against diffusers itself and an independent PyTorch reading, in f64.

mod diffusers;
mod guided;

use std::error::Error;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::{HostTensor, StateDict};
use dsno_operator::{Condition, NetworkConfig, Timesteps, UNet};
use safetensors::SafeTensors;

/// Of answers of order one, absolute. PyTorch in f32 differs from itself in f64 by up to 4.4e-6; the
/// time embedding of diffusers, which is f32 where ours is f64, makes up to 1.3e-6 of it.
const OUTPUT: f64 = 1e-5;

type Outcome = Result<(), Box<dyn Error>>;

/// A file of `tests/golden`.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn values(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let (chunks, _) = file.tensor(name)?.data().as_chunks::<8>();
    Ok(chunks
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect())
}

/// `sin(12.9898 k + 0.61803 Σ bytes(name))`, of which all weights and inputs are made.
fn wave(name: &str, length: usize) -> impl Iterator<Item = f64> {
    let phase: f64 = name.bytes().map(f64::from).sum();
    (0..length).map(move |k| (12.9898 * k as f64 + 0.61803 * phase).sin())
}

fn input<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    let values = wave(name, shape.iter().product()).map(|v| (1.5 * v) as f32);
    let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
    Tensor::from_data(data, &Device::flex())
}

/// The weights that the scripts give a network with these names and shapes.
fn recipe(shapes: Vec<(String, Vec<usize>)>) -> StateDict {
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let fan_in: usize = shape[1..].iter().product();
        let (offset, scale) = match shape.len() {
            1 if name.ends_with(".bias") => (0.0, 0.1),
            1 => (1.0, 0.2),
            _ => {
                let last = name == "out.2.weight" || name == "conv_out.weight";
                let gain = if last { 0.25 } else { 1.2 };
                (0.0, gain / (fan_in as f64).sqrt())
            }
        };
        let values = wave(&name, shape.iter().product());
        let values = values.map(|v| (offset + scale * v) as f32).collect();
        (name, HostTensor { shape, values })
    };
    shapes.into_iter().map(tensor).collect()
}

/// A network with the weights of the scripts; checks that what goes in comes out.
fn with_recipe(config: &NetworkConfig) -> Result<UNet, Box<dyn Error>> {
    let weights = recipe(config.weight_shapes());
    let network = config.init(1, &Device::flex());
    let network = network.load_state_dict(weights.clone())?;
    assert_eq!(network.state_dict(), weights);
    Ok(network)
}

/// What a network predicts at one timestep for all samples or one for each, without learned variances.
fn predict(
    network: &UNet,
    z: Tensor<4>,
    times: &[f64],
    condition: Option<Condition<'_>>,
) -> Tensor<4> {
    let image = z.dims()[1];
    let timesteps = match times {
        [_] => Timesteps::Shared(times),
        _ => Timesteps::PerSample(times),
    };
    let predicted = network.forward_conditioned(z, timesteps, condition);
    predicted.squeeze_dim::<4>(1).narrow(1, 0, image)
}

/// Compares, and tells how far apart they are.
#[track_caller]
fn close<const D: usize>(found: Tensor<D>, expected: &[f64], place: &str) {
    let found: Vec<f64> = found.into_data().iter::<f64>().collect();
    assert_eq!(found.len(), expected.len(), "{place}");
    let apart = found.iter().zip(expected).map(|(f, e)| (f - e).abs());
    // Not `max`, which would lose a NaN.
    let error = apart.fold(0.0_f64, |m, v| if v <= m { m } else { v });
    println!("{place}: {error:.1e}");
    assert!(error < OUTPUT, "{place}: {error:e}");
}
