//! Conversions between tensors of burn's CPU backend and slices.

pub(crate) mod unary;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, ExtensionType, Flex};
use burn::tensor::{Bytes, DType, Shape, Tensor};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::NodeGuard;
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

    /// A tensor of the same shape with other values.
    pub(crate) fn with_values(&self, values: Vec<f32>) -> FlexTensor {
        let layout = Layout::contiguous(self.0.layout().shape().clone());
        FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
    }

    pub(crate) fn dims<const D: usize>(&self) -> [usize; D] {
        let shape = self.0.layout().shape();
        std::array::from_fn(|axis| shape[axis])
    }
}

/// A tensor that owns `values`.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(Shape::from(dims)),
        DType::F32,
    )
}

/// An `Option` of a tensor that can be passed through the dispatch.
#[derive(Debug, ExtensionType)]
pub(crate) enum OptionalTensor<B: Backend> {
    Present(FloatTensor<B>),
    Absent,
}

impl OptionalTensor<Dispatch> {
    pub(crate) fn new<const D: usize>(tensor: Option<Tensor<D>>) -> Self {
        tensor.map_or(Self::Absent, |tensor| Self::Present(tensor.into_dispatch()))
    }
}

impl OptionalTensor<Flex> {
    pub(crate) fn into_option(self) -> Option<FlexTensor> {
        match self {
            Self::Present(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
}

impl<C: CheckpointStrategy> OptionalTensor<Autodiff<Flex, C>> {
    /// The tensor, and its node for the list of parents.
    pub(crate) fn into_parts(self) -> (Option<FlexTensor>, NodeGuard) {
        match self {
            Self::Present(tensor) => {
                let (primitive, node) = tensor.into_parts();
                (Some(primitive), node)
            }
            Self::Absent => {
                let nothing = tensor(Vec::new(), [0]);
                (None, <FloatTensor<Autodiff<Flex, C>>>::new(nothing).node())
            }
        }
    }
}

/// Registers gradients of an operation's inputs, its parents in the graph.
pub(crate) struct ParentGradients<'a>(pub(crate) &'a mut Gradients);

impl ParentGradients<'_> {
    /// Registers a parent's gradient if the parent is tracked and the gradient was computed.
    pub(crate) fn register<const D: usize>(
        &mut self,
        parent: Option<NodeId>,
        values: Option<Vec<f32>>,
        dims: [usize; D],
    ) {
        if let (Some(parent), Some(values)) = (parent, values) {
            self.0.register::<Flex>(parent, tensor(values, dims));
        }
    }
}
