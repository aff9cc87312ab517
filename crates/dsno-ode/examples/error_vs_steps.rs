//! Solves the flow of a Gaussian mixture with DDIM and prints its error against the model calls.
//!
//! ```sh
//! cargo run --release -p dsno-ode --example error_vs_steps
//! ```
//!
//! The error is the largest coordinate difference from a solve in 8192 steps. It halves when the
//! steps double, because DDIM is of first order, and the quadratic grid, which spends its steps near
//! the data, does worse on this smooth flow.

use std::error::Error;

use burn::tensor::{DType, Device, Tensor, TensorData};
use dsno_ode::analytic::GaussianMixture;
use dsno_ode::{CosineSchedule, Ddim, GridKind, SolveError, TimeGrid, solve};

fn main() -> Result<(), Box<dyn Error>> {
    let means = vec![vec![1.0, 0.5], vec![-1.2, 0.8], vec![0.2, -1.5]];
    let mixture = GaussianMixture::new(vec![0.5, 0.3, 0.2], means, vec![0.25, 0.4, 0.15])?;
    let schedule = CosineSchedule::default();

    // Sixty-four starting points on a spiral; f64, so that rounding does not hide the error.
    let spiral = |i: u32| {
        let (angle, radius) = (0.4 * f64::from(i), 0.03 * f64::from(i));
        [radius * angle.cos(), radius * angle.sin()]
    };
    let noise: Vec<f64> = (1..=64).flat_map(spiral).collect();
    let device = Device::flex();
    let z_1 = Tensor::<4>::from_data(TensorData::new(noise, [64, 2, 1, 1]), (&device, DType::F64));

    let end = |grid: &TimeGrid| -> Result<(Tensor<4>, usize), SolveError> {
        let mut solution = solve(&mixture, &Ddim, &schedule, grid, z_1.clone(), &[0.0])?;
        Ok((solution.states.swap_remove(0), solution.model_calls))
    };
    let (reference, _) = end(&TimeGrid::uniform(8192)?)?;

    println!(
        "{:>11}  {:>13}  {:>13}",
        "model calls", "uniform grid", "quadratic grid"
    );
    for steps in [4, 8, 16, 32, 64, 128, 256, 512] {
        let mut row = Vec::new();
        for kind in [GridKind::Uniform, GridKind::Quadratic] {
            let (sample, calls) = end(&TimeGrid::new(kind, steps, &schedule)?)?;
            let error = (sample - reference.clone())
                .abs()
                .max()
                .into_scalar::<f64>();
            row.push((calls, error));
        }
        println!("{:>11}  {:>13.5}  {:>13.5}", row[0].0, row[0].1, row[1].1);
    }
    Ok(())
}
