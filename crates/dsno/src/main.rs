//! The `dsno` program: experiments, and each of their stages as a verb.
//!
//! This is the only crate of the project that prints, reads the environment or chooses a device.
//! Start reading at [`runner`], which runs an experiment stage by stage.

mod args;
mod clock;
mod device;
mod evaluation;
mod experiment;
mod failure;
mod folder;
mod gallery;
mod home;
mod import;
mod interrupt;
mod lane;
mod model;
mod plan;
mod preflight;
mod progress;
mod provenance;
mod report;
mod runner;
mod sampler;
mod session;
mod spectrum;
mod stage;
mod verb;

use std::process::ExitCode;

use clap::Parser;

/// Keeps freed activations instead of returning them to the system, which every step would pay
/// for again in page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let call = args::Call::parse();
    match verb::run(call) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message());
            ExitCode::from(failure.code())
        }
    }
}
