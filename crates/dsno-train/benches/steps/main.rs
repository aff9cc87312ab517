//! Whole steps: training a student, sampling from it, solving a teacher's ODE.
//!
//! ```sh
//! cargo bench --workspace --bench steps                                   # all, in ratios
//! cargo bench --workspace --bench steps -- --config S --task train        # one, as a line of JSON
//! ```
//!
//! | task     | what is timed                                                                   |
//! |----------|---------------------------------------------------------------------------------|
//! | `train`  | a step of [`dsno_train::distill`]: forward, weighted L1, backward, Adam, average |
//! | `sample` | one call of the student, the last time to bytes                                 |
//! | `ddim`   | 16 steps of DDIM with the teacher, five states kept                             |
//!
//! Ratios are to the time that the direct multiply-adds of a task would take at the rate of the
//! machine's matrix products, measured in the same run. Winograd's convolutions need fewer products
//! than the direct ones, so less than 1 is possible. `against_pytorch.py` sets the lines of JSON
//! against PyTorch's.

#![allow(clippy::print_stdout, reason = "a bench shows what it finds")]

mod config;
mod ddim;
mod machine;
mod sample;
mod setting;
mod times;
mod train;

use std::error::Error;

use rayon::ThreadPoolBuilder;
use serde_json::json;

use config::Config;
use setting::{Setting, Task};
use times::Times;

/// The allocator of the program; that of glibc gives memory back and pays for it again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let asked = setting::Asked::parse(std::env::args().skip(1))?;
    if let Some(threads) = asked.threads {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()?;
    }
    if let (Some(config), Some(task)) = (asked.config, asked.task) {
        let setting = asked.setting(config, task);
        let times = run(&setting)?;
        println!("{}", line(&setting, &times)?);
        return Ok(());
    }

    let rate = machine::product_rate();
    println!("matrix products: {:.0} GFLOP/s\n", rate / 1e9);
    println!("| configuration | task | time | images/s | over its multiply-adds as products |");
    println!("|---|---|--:|--:|--:|");
    for config in Config::ALL {
        for task in Task::ALL {
            let setting = asked.setting(config, task);
            let seconds = run(&setting)?.median();
            let products = setting.direct_flops()? / rate;
            println!(
                "| {} | {} | {:.1} ms | {:.1} | {:.2} |",
                config.name(),
                task.name(),
                seconds * 1e3,
                setting.batch as f64 / seconds,
                seconds / products,
            );
        }
    }
    Ok(())
}

fn run(setting: &Setting) -> Result<Times, Box<dyn Error>> {
    match setting.task {
        Task::Train => train::run(setting),
        Task::Sample => sample::run(setting),
        Task::Ddim => ddim::run(setting),
    }
}

/// What a run found, with the keys of PyTorch's benchmark.
fn line(setting: &Setting, times: &Times) -> Result<serde_json::Value, Box<dyn Error>> {
    let median = times.median();
    Ok(json!({
        "name": format!("{}-{}-dsno", setting.config.name(), setting.task.name()),
        "median_s": median,
        "images_per_s": setting.batch as f64 / median,
        "min_s": times.shortest(),
        "max_s": times.longest(),
        "cpu_s": times.cpu_seconds(),
        "runs": times.count(),
        "config": setting.config.name(),
        "task": setting.task.name(),
        "batch": setting.batch,
        "threads": rayon::current_num_threads(),
        "microbatches": setting.microbatches,
        "params": setting.architecture().parameter_count()?,
        "gflop": setting.direct_flops()? / 1e9,
        "peak_mib": machine::peak_bytes().map(|bytes| bytes as f64 / f64::from(1 << 20)),
    }))
}
