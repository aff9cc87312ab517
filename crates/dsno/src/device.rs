//! The only place that names a backend.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::thread;

use burn::tensor::{Device, Tensor};

use crate::failure::Failure;

/// More batches at a time than this cost memory on a CPU and gain nothing.
const MOST_WORKERS: usize = 8;

/// A backend that the program knows, compiled in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Flex,
    Wgpu,
    Vulkan,
    Metal,
    Cuda,
    Rocm,
}

impl Backend {
    /// All of them, in the order in which `dsno devices` lists them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Flex,
        Self::Wgpu,
        Self::Vulkan,
        Self::Metal,
        Self::Cuda,
        Self::Rocm,
    ];

    /// The name on the command line, which is also the name of the Cargo feature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
        }
    }

    /// What it runs on.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Flex => "any CPU",
            Self::Wgpu => "any GPU, API chosen at run time",
            Self::Vulkan => "GPUs with Vulkan",
            Self::Metal => "Apple GPUs",
            Self::Cuda => "NVIDIA GPUs",
            Self::Rocm => "AMD GPUs",
        }
    }

    /// Whether this program was built with it.
    pub(crate) fn is_compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
        }
    }

    /// Names of the backends that were compiled in.
    pub(crate) fn compiled() -> Vec<&'static str> {
        Self::ALL
            .into_iter()
            .filter(|b| b.is_compiled())
            .map(Self::name)
            .collect()
    }
}

/// A device as named on the command line: `flex`, `vulkan`, `cuda`, `cuda:1`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceName {
    backend: Backend,
    index: Option<usize>,
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = match text.split_once(':') {
            None => (text, None),
            Some((name, index)) => {
                let index = index.parse::<u16>().map_err(|_not_a_number| {
                    format!("device index `{index}` is not a number, expected for example `cuda:1`")
                })?;
                (name, Some(usize::from(index)))
            }
        };
        // What everybody calls it; files and reports have the one name.
        let name = if name == "cpu" { "flex" } else { name };
        let backend = Backend::ALL
            .into_iter()
            .find(|b| b.name() == name)
            .ok_or_else(|| {
                let known: Vec<_> = Backend::ALL.into_iter().map(Backend::name).collect();
                format!(
                    "unknown device `{name}`, expected cpu or one of {}",
                    known.join(", ")
                )
            })?;
        if index.is_some_and(|index| index > 0) && backend == Backend::Flex {
            return Err("flex is the CPU and has no index".to_owned());
        }
        if !backend.is_compiled() {
            return Err(format!(
                "this program was built without `{name}`; build with `cargo build --release -p dsno --features {name}` (built with: {})",
                Backend::compiled().join(", ")
            ));
        }
        Ok(Self { backend, index })
    }
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.backend.name())?;
        self.index.map_or(Ok(()), |index| write!(f, ":{index}"))
    }
}

impl DeviceName {
    /// How many batches to work on together; other devices keep themselves busy with one.
    pub(crate) fn workers(&self) -> usize {
        if self.backend == Backend::Flex {
            thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MOST_WORKERS)
        } else {
            1
        }
    }

    /// Opens the device and runs one addition on it, so that a missing driver or card ends here.
    ///
    /// # Errors
    ///
    /// A preflight failure if the device does not answer.
    pub(crate) fn open(&self) -> Result<Device, Failure> {
        if self.backend == Backend::Flex {
            return Ok(self.handle());
        }
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let device = self.handle();
            let sum = Tensor::<1>::ones([2], &device)
                .sum()
                .into_data()
                .try_to_vec::<f32>();
            (device, sum.is_ok_and(|sum| sum == [2.0]))
        }));
        std::panic::set_hook(hook);
        match answer {
            Ok((device, true)) => Ok(device),
            _ => Err(Failure::preflight(format!(
                "device `{self}` does not answer; check its driver and index, or use `--device flex`"
            ))),
        }
    }

    #[allow(
        unreachable_patterns,
        reason = "which arms exist depends on the features"
    )]
    fn handle(&self) -> Device {
        #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
        let kind = self.index.map_or(
            burn::tensor::DeviceKind::DefaultDevice,
            burn::tensor::DeviceKind::DiscreteGpu,
        );
        #[cfg(any(feature = "cuda", feature = "rocm"))]
        let index = self.index.unwrap_or(0);
        match self.backend {
            #[cfg(feature = "flex")]
            Backend::Flex => Device::flex(),
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => Device::wgpu(kind),
            #[cfg(feature = "vulkan")]
            Backend::Vulkan => Device::vulkan(kind),
            #[cfg(feature = "metal")]
            Backend::Metal => Device::metal(kind),
            #[cfg(feature = "cuda")]
            Backend::Cuda => Device::cuda(index),
            #[cfg(feature = "rocm")]
            Backend::Rocm => Device::rocm(index),
            _ => unreachable!("invariant: a device name is made only of compiled backends"),
        }
    }
}
