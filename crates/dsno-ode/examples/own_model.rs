//! Solves a model of one's own, given as a closure.
//!
//! ```sh
//! cargo run --release -p dsno-ode --example own_model
//! ```
//!
//! The closure stands where a network is called. Here it is the exact denoiser of images whose pixels
//! are normal with mean 0.25 and standard deviation 0.5, so the samples must have these too.

use burn::tensor::{Device, Distribution, Tensor};
use dsno_ode::{AlgorithmType, CosineSchedule, SolverOrder, TimeGrid, UniPc, from_fn, solve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mean, variance) = (0.25, 0.25);
    let model = from_fn(|z_t, at| {
        let (alpha, sigma) = (at.alpha(), at.sigma());
        let gain = alpha * variance / (alpha * alpha * variance + sigma * sigma);
        (z_t - alpha * mean) * gain + mean
    });

    let normal = Distribution::Normal(0.0, 1.0);
    let z_1 = Tensor::<4>::random([16, 3, 32, 32], normal, &Device::flex());
    let (schedule, grid) = (CosineSchedule::default(), TimeGrid::uniform(20)?);
    let solver = UniPc::new(AlgorithmType::DpmSolverPlusPlus, SolverOrder::Second);
    let solution = solve(&model, &solver, &schedule, &grid, z_1, &[0.5, 0.0])?;

    let samples = solution.states[1].clone();
    let found = samples.clone().mean().into_scalar::<f64>();
    let deviation = (samples - found)
        .square()
        .mean()
        .sqrt()
        .into_scalar::<f64>();
    println!("{} model calls", solution.model_calls);
    println!("mean {found:.3}, standard deviation {deviation:.3}");
    Ok(())
}
