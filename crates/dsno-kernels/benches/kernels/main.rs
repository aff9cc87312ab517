//! Every operation against burn's own on the same backend, and against what the machine can do.
//!
//! ```sh
//! cargo bench --workspace --bench kernels                # all
//! cargo bench --workspace --bench kernels -- conv3x3     # those whose name holds the word
//! ```
//!
//! Shapes are those inside the two networks of PyTorch's benchmark, S and M. An operation, the
//! composition of burn's operations that it replaces (channels-first, as those want it) and a limit
//! of the machine take turns; ratios are of their medians.
//!
//! | column      | meaning                                                                        |
//! |-------------|--------------------------------------------------------------------------------|
//! | `over burn` | time over that of burn's own operations: below 1 is faster                      |
//! | `of GEMM`   | direct multiply-adds a second over those of burn's large matrix products        |
//! | `copies`    | time over that of copying the map, all threads, from and to memory that is ready |
//!
//! The command fails if a convolution between wide layers is below the rate of matrix products, or
//! if normalisation with SiLU takes more than one and a half copies.

#![allow(clippy::print_stdout, reason = "a bench shows what it finds")]

mod adam;
mod burns_own;
mod case;
mod machine;
mod turns;

use std::process::ExitCode;

use case::{CASES, Case, Kind, Pass};
use machine::{Copying, product_rate};
use turns::medians;

/// The allocator of the program; that of glibc gives memory back and pays for it again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Throughput of a convolution over that of matrix products, at least.
const LEAST_OF_GEMM: f64 = 1.0;
/// Time of normalisation and SiLU over that of a copy, at most.
const MOST_COPIES: f64 = 1.5;
/// What else the machine does may move a median by so much.
const NOISE: f64 = 0.1;

fn main() -> ExitCode {
    // Cargo adds flags of its own.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));

    let rate = product_rate();
    println!(
        "matrix products: {:.0} GFLOP/s, {} threads\n",
        rate / 1e9,
        rayon::current_num_threads()
    );
    println!("| operation | maps | pass | time | over burn | of GEMM | copies |");
    println!("|---|---|---|--:|--:|--:|--:|");
    let mut broken = Vec::new();
    for case in CASES.iter().filter(|case| wanted(case.kind.name())) {
        for pass in [Pass::Forward, Pass::Both] {
            let found = Found::of(case, pass, rate);
            println!("{}", found.row(case, pass));
            broken.extend(found.broken_bound(case, pass));
        }
    }
    if wanted("adam_step") {
        adam::rows();
    }

    for bound in &broken {
        println!("\n{bound}");
    }
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What taking turns showed.
struct Found {
    seconds: f64,
    over_burn: f64,
    of_gemm: Option<f64>,
    copies: Option<f64>,
}

impl Found {
    fn of(case: &Case, pass: Pass, rate: f64) -> Self {
        let inputs = case.inputs(pass);
        let copying = Copying::new(case.values(pass));
        let [kernel, burn, copy] = medians([
            &mut || case.kernel(&inputs, pass),
            &mut || case.burns_own(&inputs, pass),
            &mut || copying.run(),
        ]);
        Self {
            seconds: kernel,
            over_burn: kernel / burn,
            of_gemm: case.flops(pass).map(|flops| flops / kernel / rate),
            copies: case.flops(pass).is_none().then_some(kernel / copy),
        }
    }

    fn row(&self, case: &Case, pass: Pass) -> String {
        let ratio =
            |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
        format!(
            "| {} | {} | {} | {:.2} ms | {:.2} | {} | {} |",
            case.kind.name(),
            case.maps(pass),
            pass.name(),
            self.seconds * 1e3,
            self.over_burn,
            ratio(self.of_gemm),
            ratio(self.copies),
        )
    }

    fn broken_bound(&self, case: &Case, pass: Pass) -> Option<String> {
        let place = || {
            format!(
                "{} of {}, {}",
                case.kind.name(),
                case.maps(pass),
                pass.name()
            )
        };
        match case.kind {
            Kind::Convolution if case.is_wide() => {
                let share = self.of_gemm?;
                (share < LEAST_OF_GEMM * (1.0 - NOISE)).then(|| {
                    format!(
                        "{}: {share:.2} of matrix products, not {LEAST_OF_GEMM}",
                        place()
                    )
                })
            }
            Kind::NormSilu if pass == Pass::Forward => {
                let copies = self.copies?;
                (copies > MOST_COPIES * (1.0 + NOISE))
                    .then(|| format!("{}: {copies:.2} copies, not {MOST_COPIES}", place()))
            }
            _ => None,
        }
    }
}
