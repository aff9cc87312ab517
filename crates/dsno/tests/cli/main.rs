//! The program as a user meets it: exit codes, messages, files.
//!
//! The program itself is run, on the shipped data, in temporary folders.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its files has failed"
)]

mod bad_files;
mod bad_input;
mod crash;
mod datasets;
mod end_to_end;
mod exchange;
mod experiments;
mod families;
mod flax;
mod imports;
mod mistakes;
mod outputs;
mod program;
mod restart;
mod runs;
mod sampling;
