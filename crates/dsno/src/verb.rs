//! The verbs of the command line.

mod analytic;
mod collect;
mod datasets;
mod describe;
mod evaluate;
mod experiment;
mod export;
mod import;
mod list;
mod noise;
mod sample;

use crate::args::{Call, Verb};
use crate::failure::Failure;
use crate::stage::{distill, teacher};

/// Carries out a call.
pub(crate) fn run(call: Call) -> Result<(), Failure> {
    match call.verb {
        Verb::Experiment(args) => experiment::run(&args, None),
        Verb::Teacher(args) => experiment::run(&args, Some(teacher::NAME)),
        Verb::Distill(args) => experiment::run(&args, Some(distill::NAME)),
        Verb::Report(args) => experiment::report(&args),
        Verb::Collect(args) => collect::run(&args),
        Verb::Sample(args) => sample::run(&args),
        Verb::Evaluate(args) => evaluate::run(&args),
        Verb::Import(args) => import::run(&args),
        Verb::Export(args) => export::run(&args),
        Verb::Describe(args) => describe::run(&args),
        Verb::Devices(args) => list::devices(&args),
        Verb::Datasets(args) => datasets::run(&args),
    }
}
