//! What needs numbers from outside the crate: answers of other programs' networks.

mod checkpoint;
mod distillation;
mod edm;
mod foreign;
mod golden;
mod support;
