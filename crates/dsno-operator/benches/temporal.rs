//! What a temporal convolution costs beyond the matrix products that it consists of.
//!
//! ```sh
//! cargo bench -p dsno-operator
//! ```
//!
//! The products are those of the layer, on operands that lie ready: over times, over channels (one
//! for each real product of a mode), over times, and the small one that turns stored weights into
//! those of the products. What the layer adds is the activation, the sum and views. The command fails
//! if that is more than 30 %.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use dsno_operator::TemporalConvolution;

/// The allocator of the program; that of glibc gives memory back and pays for it again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Time of the layer over that of its products, at most.
const ALLOWED: f64 = 1.3;
/// Times are medians of so many, taken in turns, so that both meet the same machine.
const REPEATS: usize = 200;

/// Shapes of the maps inside small and medium networks.
const SHAPES: [Shape; 8] = [
    Shape::new(16, 4, 2, 32, 16),
    Shape::new(16, 4, 2, 64, 8),
    Shape::new(16, 4, 2, 128, 4),
    Shape::new(64, 4, 2, 32, 16),
    Shape::new(64, 4, 2, 64, 8),
    Shape::new(64, 4, 2, 128, 4),
    Shape::new(16, 4, 3, 128, 16),
    Shape::new(16, 17, 4, 64, 8),
];

#[derive(Clone, Copy)]
struct Shape {
    samples: usize,
    times: usize,
    modes: usize,
    channels: usize,
    side: usize,
}

impl Shape {
    const fn new(samples: usize, times: usize, modes: usize, channels: usize, side: usize) -> Self {
        Self {
            samples,
            times,
            modes,
            channels,
            side,
        }
    }

    /// Real products over channels: one for the constant mode and for the Nyquist mode.
    fn products(self) -> usize {
        let real = if 2 * (self.modes - 1) == self.times {
            2
        } else {
            1
        };
        3 * (self.modes - real) + real
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples: b,
            times: t,
            modes: m,
            channels: c,
            side: s,
        } = self;
        write!(f, "B {b}, T {t}, M {m}, C {c}, {s}×{s}")
    }
}

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

struct Layer {
    convolution: TemporalConvolution,
    u: Tensor<4>,
    times: usize,
}

impl Layer {
    fn new(shape: Shape) -> Self {
        let Shape {
            samples: b,
            times: t,
            channels: c,
            side: s,
            ..
        } = shape;
        Self {
            convolution: TemporalConvolution::init(c, shape.modes, 1, &Device::flex()),
            u: normal([b * t, c, s, s]),
            times: t,
        }
    }

    fn run(&self) -> Tensor<4> {
        self.convolution.forward(self.u.clone(), self.times)
    }
}

struct Products {
    over_times: [Tensor<3>; 2],
    over_channels: [Tensor<4>; 2],
    back: [Tensor<3>; 2],
    of_weights: [Tensor<2>; 2],
}

impl Products {
    fn new(shape: Shape) -> Self {
        let Shape {
            samples: b,
            times: t,
            channels: c,
            side: s,
            ..
        } = shape;
        let rows = shape.products();
        Self {
            over_times: [normal([1, rows, t]), normal([b, t, c * s * s])],
            over_channels: [normal([1, rows, c, c]), normal([b, rows, c, s * s])],
            back: [normal([1, t, rows]), normal([b, rows, c * s * s])],
            of_weights: [
                normal([rows, 2 * shape.modes]),
                normal([c * c, 2 * shape.modes]).transpose(),
            ],
        }
    }

    fn run(&self) -> (Tensor<3>, Tensor<4>, Tensor<3>, Tensor<2>) {
        let [analysis, states] = self.over_times.clone();
        let [weights, spectrum] = self.over_channels.clone();
        let [synthesis, mixed] = self.back.clone();
        let [shares, stored] = self.of_weights.clone();
        (
            analysis.matmul(states),
            weights.matmul(spectrum),
            synthesis.matmul(mixed),
            shares.matmul(stored),
        )
    }
}

#[divan::bench(args = SHAPES, sample_count = 30)]
fn layer(bencher: divan::Bencher<'_, '_>, shape: Shape) {
    let layer = Layer::new(shape);
    bencher.bench(|| layer.run());
}

#[divan::bench(args = SHAPES, sample_count = 30)]
fn products(bencher: divan::Bencher<'_, '_>, shape: Shape) {
    let products = Products::new(shape);
    bencher.bench(|| products.run());
}

/// The median times of two things that take turns.
fn medians<A, B>(one: impl Fn() -> A, other: impl Fn() -> B) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..REPEATS {
        let start = Instant::now();
        drop(one());
        times[0].push(start.elapsed());
        let start = Instant::now();
        drop(other());
        times[1].push(start.elapsed());
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[REPEATS / 2]
    })
}

fn main() -> ExitCode {
    divan::main();

    println!("\n| maps | layer | its products | ratio |");
    println!("|---|--:|--:|--:|");
    let mut within = true;
    for shape in SHAPES {
        let (layer, products) = (Layer::new(shape), Products::new(shape));
        let [whole, bare] = medians(|| layer.run(), || products.run());
        let [whole, bare] = [whole, bare].map(|time| time.as_secs_f64() * 1e6);
        let ratio = whole / bare;
        println!("| {shape} | {whole:.0} µs | {bare:.0} µs | {ratio:.2} |");
        within &= ratio < ALLOWED;
    }
    if within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
