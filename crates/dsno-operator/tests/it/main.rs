//! What needs numbers from outside the crate: answers of other programs' networks.

mod checkpoint;
mod golden;
