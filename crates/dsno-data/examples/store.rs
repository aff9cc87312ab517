//! Writes trajectories of real images sinking into noise, interrupts the work, and resumes it.
//!
//! ```text
//! cargo run --release -p dsno-data --example store
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;

use dsno_data::store::{Dtype, Provenance};
use dsno_data::{DatasetSpec, StoreSpec, TrajectoryStore, noise};

fn main() -> Result<(), Box<dyn Error>> {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let images = DatasetSpec::load(datasets.join("fashion-mnist.toml"))?.open(&datasets)?;
    println!(
        "{} images of {}×{} pixels",
        images.len(),
        images.height(),
        images.width()
    );

    // z_t = α x + σ ε with σ² = sigmoid(−λ): the straight line a perfect model would follow.
    let seed = 1;
    let spec = StoreSpec {
        samples: 1000,
        times: vec![1.0, 0.5, 0.0],
        log_snr: vec![-20.0, 0.0, 20.0],
        shape: [images.channels(), images.height(), images.width()],
        shard_samples: 256,
        dtype: Dtype::F32,
        zstd: false,
        classes: images.classes(),
        provenance: Provenance::new(seed, "forward process", 0),
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("trajectories");
    let labels = images.labels().unwrap_or_default();

    for session in ["first", "second"] {
        let mut store = TrajectoryStore::create(&path, &spec)?;
        let missing = store.missing_shards();
        println!("{session} session: shards {missing:?} are missing");
        // The first session is cut short after two shards.
        let count = if session == "first" { 2 } else { missing.len() };
        for &shard in &missing[..count] {
            let range = store.shard_range(shard);
            let states: Vec<f32> = range
                .clone()
                .flat_map(|index| trajectory(&images.image(index), seed, index, &spec.log_snr))
                .collect();
            store.write_shard(shard, &states, &labels[range])?;
        }
    }

    let store = TrajectoryStore::open(&path)?;
    store.verify()?;
    println!("\n sample  label   deviation at t = 1, 0.5, 0");
    for index in [0, 500, 999] {
        let states = store.read(&[index])?;
        let deviations = states.chunks(states.len() / 3).map(|state| {
            let mean_square = state.iter().map(|v| v * v).sum::<f32>() / state.len() as f32;
            format!("{:6.3}", mean_square.sqrt())
        });
        let deviations: Vec<_> = deviations.collect();
        println!(
            "{index:7} {:6}   {}",
            store.labels(&[index])?[0],
            deviations.join("  ")
        );
    }
    Ok(())
}

fn trajectory(x: &[f32], seed: u64, index: usize, log_snr: &[f64]) -> Vec<f32> {
    let eps = noise::gaussian(seed, index as u64, x.len());
    let mix = |lambda: &f64| {
        let (alpha, sigma) = (
            sigmoid(*lambda).sqrt() as f32,
            sigmoid(-lambda).sqrt() as f32,
        );
        x.iter()
            .zip(&eps)
            .map(move |(x, eps)| alpha * x + sigma * eps)
            .collect::<Vec<_>>()
    };
    log_snr.iter().flat_map(mix).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
