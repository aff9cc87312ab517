//! The network's golden numbers on every backend that was compiled in.
//!
//! ```sh
//! cargo test --release -p dsno-tests --features vulkan --test backends
//! ```

#[path = "../../crates/dsno-operator/tests/it/golden.rs"]
mod golden;
#[path = "../../crates/dsno-operator/tests/it/support.rs"]
mod support;

use burn::tensor::Device;

/// The first device of each backend.
fn devices() -> Vec<Device> {
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    let kind = burn::tensor::DeviceKind::DefaultDevice;
    vec![
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "wgpu")]
        Device::wgpu(kind),
        #[cfg(feature = "vulkan")]
        Device::vulkan(kind),
        #[cfg(feature = "metal")]
        Device::metal(kind),
        #[cfg(feature = "cuda")]
        Device::cuda(0),
        #[cfg(feature = "rocm")]
        Device::rocm(0),
    ]
}
