//! Stores real images sinking into noise, interrupts the work, and resumes it.
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
        "{} images of {} pixels",
        images.len(),
        images.image(0).len()
    );

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

    // The first session is cut short after two shards, the second fills the gaps.
    for most in [2, usize::MAX] {
        let mut store = TrajectoryStore::create(&path, &spec)?;
        println!("shards {:?} are missing", store.missing_shards());
        for shard in store.missing_shards().into_iter().take(most) {
            let range = store.shard_range(shard);
            let mut states = Vec::new();
            for index in range.clone() {
                let eps = noise::gaussian(seed, index as u64, images.image(0).len());
                for &log_snr in &spec.log_snr {
                    states.extend(mix(&images.image(index), &eps, log_snr));
                }
            }
            store.write_shard(shard, &states, &labels[range])?;
        }
    }

    let store = TrajectoryStore::open(&path)?;
    store.verify()?;
    println!("\n sample  label   root mean square at t = 1, 0.5, 0");
    for index in [0, 500, 999] {
        let (states, label) = (store.read(&[index])?, store.labels(&[index])?[0]);
        print!("{index:7} {label:6}  ");
        for state in states.chunks(states.len() / spec.times.len()) {
            let squares = state.iter().map(|v| v * v).sum::<f32>();
            print!(" {:6.3}", (squares / state.len() as f32).sqrt());
        }
        println!();
    }
    Ok(())
}

/// z = α x + σ ε with α² = sigmoid(λ), σ² = sigmoid(−λ).
fn mix(x: &[f32], eps: &[f32], log_snr: f64) -> Vec<f32> {
    let sigmoid = |l: f64| 1.0 / (1.0 + (-l).exp());
    let alpha = sigmoid(log_snr).sqrt() as f32;
    let sigma = sigmoid(-log_snr).sqrt() as f32;
    let pixels = x.iter().zip(eps);
    pixels.map(|(x, eps)| alpha * x + sigma * eps).collect()
}
