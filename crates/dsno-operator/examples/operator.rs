//! Builds a teacher and an operator that starts at its weights, and shows what they cost.
//!
//! ```text
//! cargo run --release -p dsno-operator --example operator
//! ```

use std::error::Error;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use dsno_operator::{TemporalConvConfig, Timesteps, UNetConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let teacher = UNetConfig::new(16, 1)
        .with_base_channels(16)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![8])
        .with_attention_groups(4);
    let student = UNetConfig {
        temporal: Some(TemporalConvConfig { n_modes: 2 }),
        ..teacher.clone()
    };

    let device = Device::flex();
    let teacher_network = teacher.init(1, &device)?;
    let student_network = student
        .init(2, &device)?
        .init_from_teacher(&teacher_network)?;

    let noise = Tensor::<4>::random([4, 1, 16, 16], Distribution::Normal(0.0, 1.0), &device);
    println!(
        "{:<9}{:>7}{:>12}{:>16}{:>12}",
        "network", "times", "parameters", "multiply-adds", "ms"
    );
    for (name, architecture, network, log_snrs) in [
        ("teacher", &teacher, &teacher_network, &[20.0][..]),
        (
            "operator",
            &student,
            &student_network,
            &[-0.4, 1.8, 4.6, 20.0][..],
        ),
    ] {
        let levels = Timesteps::Shared(log_snrs);
        drop(network.forward(noise.clone(), levels, None).into_data());
        let start = Instant::now();
        let answer = network.forward(noise.clone(), levels, None);
        assert_eq!(answer.dims(), [4, log_snrs.len(), 1, 16, 16]);
        drop(answer.into_data());
        println!(
            "{name:<9}{:>7}{:>12}{:>16}{:>12.1}",
            log_snrs.len(),
            architecture.parameter_count()?,
            architecture.multiply_adds(log_snrs.len())?,
            start.elapsed().as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
