//! Conversions between tensors of burn's CPU backend and slices, and kernels as its operations.

pub(crate) mod operation;

use burn::backend::DispatchDevice;
use burn::tensor::{Bytes, DType, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

/// Whether kernels of this crate can work on the tensor: `f32` on the CPU backend, tracked or not.
pub(crate) fn has_kernels<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    let flex = match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(inner) => matches!(**inner, DispatchDevice::Flex(_)),
        #[allow(unreachable_patterns, reason = "other backends may not be compiled in")]
        _ => false,
    };
    flex && tensor.dtype() == DType::F32
}

/// A tensor whose values are contiguous in row-major order; made by a copy only if they were not.
#[derive(Debug, Clone)]
pub(crate) struct Contiguous(FlexTensor);

impl Contiguous {
    pub(crate) fn of(tensor: FlexTensor) -> Self {
        Self(if tensor.is_contiguous() {
            tensor
        } else {
            tensor.to_contiguous()
        })
    }

    pub(crate) fn slice(&self) -> &[f32] {
        let (start, end) = self
            .0
            .layout()
            .contiguous_offsets()
            .unwrap_or((0, self.0.layout().num_elements()));
        &self.0.storage::<f32>()[start..end]
    }

    /// The values, or none if this is [`nothing`].
    pub(crate) fn present(&self) -> Option<&[f32]> {
        (self.0.layout().shape()[..] != [0]).then(|| self.slice())
    }

    /// A tensor of the same shape with other values.
    pub(crate) fn with_values(&self, values: Vec<f32>) -> FlexTensor {
        tensor(values, self.0.layout().shape().clone())
    }

    pub(crate) fn dims<const D: usize>(&self) -> [usize; D] {
        let shape = self.0.layout().shape();
        std::array::from_fn(|axis| shape[axis])
    }
}

/// A tensor that owns `values`.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let layout = Layout::contiguous(shape.into());
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// A tensor without values, in the place of one that is absent.
fn nothing() -> FlexTensor {
    tensor(Vec::new(), [0_usize])
}
