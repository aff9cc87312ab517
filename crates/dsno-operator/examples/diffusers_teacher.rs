//! Reads a model folder of Hugging Face diffusers and solves its ODE with a few steps of DDIM.
//!
//! ```text
//! cargo run --release -p dsno-operator --example diffusers_teacher -- FOLDER
//! ```
//!
//! Without a folder it takes the small one, with meaningless weights, that the tests read.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use dsno_checkpoint::{Checkpoint, CheckpointFormat};
use dsno_ode::{Ddim, NoiseSchedule, Schedule, TimeGrid, solve};
use dsno_operator::family::diffusers::DiffusersConfig;
use dsno_operator::{DdpmProcess, NetworkConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/diffusers");
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| small.to_owned()));

    let architecture = DiffusersConfig::from_folder(&folder)?;
    let config = NetworkConfig::new(architecture.clone())?;
    println!(
        "{}: {} parameters",
        folder.display(),
        config.parameter_count()
    );
    let DdpmProcess::Table {
        schedule: NoiseSchedule::Discrete(table),
        prediction,
        ..
    } = &architecture.process
    else {
        return Err("this example wants a model with a table of noise levels".into());
    };
    println!(
        "conditioned on one of {} levels, predicts {prediction:?}",
        table.entries()
    );

    let device = Device::flex();
    let weights = folder.join("diffusion_pytorch_model.safetensors");
    let start = Instant::now();
    let checkpoint = Checkpoint::open(&weights, CheckpointFormat::Safetensors)?;
    let network = config.load(&checkpoint, &device)?;
    println!(
        "loaded {} tensors in {:.0?}",
        checkpoint.len(),
        start.elapsed()
    );

    let (channels, size) = (architecture.in_channels, architecture.sample_size);
    let z_1 = Tensor::<4>::random(
        [1, channels, size, size],
        Distribution::Normal(0.0, 1.0),
        &device,
    );
    let times = [1.0, 0.75, 0.5, 0.25, 0.0];
    let start = Instant::now();
    let model = network.denoiser(None, true);
    let solution = solve(&model, &Ddim, table, &TimeGrid::uniform(8)?, z_1, &times)?;
    println!(
        "{} calls in {:.0?}\n",
        solution.model_calls,
        start.elapsed()
    );
    println!("   t   log-SNR   deviation of the state");
    for (t, state) in times.iter().zip(solution.states) {
        let deviation = state.square().mean().sqrt().into_scalar::<f32>();
        println!("{t:.2}   {:7.2}   {deviation:.3}", table.log_snr(*t));
    }
    Ok(())
}
