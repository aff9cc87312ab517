//! What a solve costs besides its network: the solver's own arithmetic, recording and checks.
//!
//! ```sh
//! cargo bench -p dsno-ode
//! ```
//!
//! Every solver walks 20 steps with a model that returns at once, on 64 images of 1×16×16 in f32. The
//! first table gives the time of such a solve. The second sets the time per model call against one
//! forward pass of a network, eight 3×3 convolutions of 32 channels at 16×16 on the same batch, which
//! is less than the smallest U-Net that is of use. The command fails if a share reaches 5 %.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor};
use dsno_ode::{
    CosineSchedule, Dopri5, Solution, SolveError, SolverKind, TimeGrid, from_fn, solve_adaptive,
};

const SHAPE: [usize; 4] = [64, 1, 16, 16];
const STEPS: usize = 20;
/// The share of a forward pass that a solver may add to it.
const ALLOWED: f64 = 0.05;
/// Times are the shortest of so many: what else the machine does only adds to them.
const REPEATS: usize = 15;

/// A solver of this crate, with or without a grid.
#[derive(Clone, Copy)]
enum Solver {
    OnGrid(SolverKind),
    Adaptive,
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnGrid(method) => method.fmt(f),
            Self::Adaptive => f.write_str("dopri5"),
        }
    }
}

impl Solver {
    fn all() -> impl Iterator<Item = Self> {
        let on_grid = SolverKind::ALL.iter().copied().map(Self::OnGrid);
        on_grid.chain([Self::Adaptive])
    }

    /// Solves with a model that returns a constant.
    fn solve(self, z_1: Tensor<4>, x_hat: &Tensor<4>) -> Result<Solution, SolveError> {
        let model = from_fn(|_, _| x_hat.clone());
        let schedule = CosineSchedule::default();
        match self {
            Self::OnGrid(method) => {
                let grid = TimeGrid::uniform(STEPS).expect("steps > 0");
                method.solve(&model, &schedule, &grid, z_1, &[0.0])
            }
            Self::Adaptive => {
                let method = Dopri5::default();
                solve_adaptive(&model, &method, &schedule, (1.0, 0.0), z_1, &[0.0])
            }
        }
    }
}

fn normal(shape: [usize; 4]) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

#[divan::bench(args = Solver::all(), sample_count = 20)]
fn solve(bencher: divan::Bencher<'_, '_>, solver: Solver) {
    let (z_1, x_hat) = (normal(SHAPE), normal(SHAPE));
    bencher.bench(|| solver.solve(z_1.clone(), &x_hat));
}

#[divan::bench(sample_count = 20)]
fn forward(bencher: divan::Bencher<'_, '_>) {
    let network = Network::new();
    let z_t = normal(SHAPE);
    bencher.bench(|| network.forward(z_t.clone()));
}

/// The network that a solve is compared with.
struct Network {
    first: Tensor<4>,
    inner: Vec<Tensor<4>>,
    last: Tensor<4>,
}

impl Network {
    fn new() -> Self {
        let [_, channels, ..] = SHAPE;
        Self {
            first: normal([32, channels, 3, 3]),
            inner: (0..6).map(|_| normal([32, 32, 3, 3]) * 0.1).collect(),
            last: normal([channels, 32, 3, 3]) * 0.1,
        }
    }

    /// Applies the convolutions, with `tanh` between them, and waits for the answer.
    fn forward(&self, z_t: Tensor<4>) -> f32 {
        let layer = |image: Tensor<4>, weight: &Tensor<4>| {
            let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            conv2d(image, weight.clone(), None, same_size)
        };
        let start = layer(z_t, &self.first);
        let inner = |image: Tensor<4>, weight| layer(image.tanh(), weight);
        let features = self.inner.iter().fold(start, inner);
        layer(features.tanh(), &self.last).sum().into_scalar()
    }
}

fn shortest(mut run: impl FnMut()) -> Duration {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn main() -> Result<ExitCode, SolveError> {
    divan::main();

    let network = Network::new();
    let (z_1, x_hat) = (normal(SHAPE), normal(SHAPE));
    let forward = shortest(|| _ = network.forward(z_1.clone())).as_secs_f64();
    println!("\none forward pass: {:.1} ms\n", forward * 1e3);
    println!("| solver | model calls | overhead per call | share of a forward pass |");
    println!("|---|--:|--:|--:|");
    let mut within = true;
    for solver in Solver::all() {
        let calls = solver.solve(z_1.clone(), &x_hat)?.model_calls;
        let whole = shortest(|| _ = solver.solve(z_1.clone(), &x_hat)).as_secs_f64();
        let per_call = whole / calls as f64;
        let share = per_call / forward;
        let micros = per_call * 1e6;
        println!(
            "| {solver} | {calls} | {micros:.0} µs | {:.2} % |",
            share * 100.0
        );
        within &= share < ALLOWED;
    }
    Ok(if within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
