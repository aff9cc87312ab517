//! What needs numbers from outside the crate: answers of other programs' networks.

mod distillation;
mod edm;
mod foreign;
mod golden;
mod support;

/// Devices that the golden numbers are held to; `dsno-tests` has those of other backends.
fn devices() -> Vec<burn::tensor::Device> {
    vec![burn::tensor::Device::flex()]
}
