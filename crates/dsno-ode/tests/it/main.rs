//! What needs data from outside the crate: golden values and the observed order of the solvers.

mod adaptive;
mod diffusers;
mod golden;
mod levels;
mod order;
mod support;
mod threshold;
