//! One-step sampling of diffusion models by operator learning: the `dsno` program.
//!
//! A diffusion model, the *teacher*, defines an ODE from noise to images. Its trajectories are
//! solved and stored, and an operator, the *student*, learns to map noise to the whole trajectory in
//! one forward pass (DSNO, Zheng et al. 2023, arXiv:2211.13449v3).
//!
//! ```sh
//! dsno experiment fashion                    # every stage of the main job, then runs/fashion/report.html
//! dsno sample --model models/fashion-dsno --count 64 --png out
//! dsno experiment cifar10                    # says what the paper's run lacks here
//! ```
//!
//! # The crates
//!
//! Each can be used alone, and its page is a guide with an example.
//!
//! | crate               | question that it answers                                              |
//! |---------------------|-----------------------------------------------------------------------|
//! | [`dsno_ode`]        | how is a teacher's ODE solved, and what is recorded?                  |
//! | [`dsno_kernels`]    | how are convolutions, norms and attention made fast on a CPU?         |
//! | [`dsno_checkpoint`] | how are weights and arrays read and written, whoever wrote them?      |
//! | [`dsno_operator`]   | what are the networks, and how do times mix?                          |
//! | [`dsno_model`]      | what is a teacher or a student on disk, and how is it sampled?        |
//! | [`dsno_data`]       | where do images, noise and stored trajectories come from?             |
//! | [`dsno_train`]      | how are teachers trained, trajectories collected, students distilled? |
//! | [`dsno_eval`]       | how good are the samples?                                             |
//!
//! # This crate
//!
//! It runs experiments and is the only one that prints, reads the environment or chooses a device.
//! Start reading at [`stage`], which has a file for each stage of an experiment. [`runner`] goes through
//! them, [`ledger`] says which are done, [`preflight`] what must be there before the first; [`experiment`]
//! is the schema of experiment files, [`device`] says which backends there are.

// Only `console` prints: closed pipes and full disks must not end a run.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod clock;
mod console;
mod data;
mod device;
mod evaluation;
mod experiment;
mod failure;
mod folder;
mod gallery;
mod home;
mod import;
mod interrupt;
mod json;
mod key;
mod ledger;
mod manifest;
mod model;
mod output;
mod plan;
mod preflight;
mod progress;
mod provenance;
mod report;
mod runner;
mod session;
mod space;
mod stage;
mod tensor;
mod verb;

use std::process::ExitCode;

use clap::Parser;

use console::note;
use failure::Failure;

/// Keeps freed activations instead of returning them to the system, which every step would pay
/// for again in page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let call = args::Call::parse();
    let failure = match verb::run(call) {
        Err(failure) => failure,
        Ok(()) if console::lost() => {
            Failure::run("the result could not be written to standard output")
        }
        Ok(()) => return ExitCode::SUCCESS,
    };
    note!("error: {}", failure.message());
    ExitCode::from(failure.code())
}
