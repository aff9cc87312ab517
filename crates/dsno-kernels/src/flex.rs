//! Between tensors of burn's CPU backend and slices.

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

/// A tensor's numbers, side by side in the order of its axes; copied only if they are not.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(FlexTensor);

impl Numbers {
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

    /// A tensor of the same shape that owns other numbers.
    pub(crate) fn alike(&self, numbers: Vec<f32>) -> FlexTensor {
        let layout = Layout::contiguous(self.0.layout().shape().clone());
        FlexTensor::new(Bytes::from_elems(numbers), layout, DType::F32)
    }

    pub(crate) fn dims<const D: usize>(&self) -> [usize; D] {
        let shape = self.0.layout().shape();
        std::array::from_fn(|axis| shape[axis])
    }
}

/// A tensor that owns the numbers.
pub(crate) fn tensor<const D: usize>(numbers: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(numbers),
        Layout::contiguous(Shape::from(dims)),
        DType::F32,
    )
}

/// A tensor that may be absent, on its way to a backend.
#[derive(Debug, ExtensionType)]
pub(crate) enum Maybe<B: Backend> {
    Given(FloatTensor<B>),
    Absent,
}

impl Maybe<Dispatch> {
    pub(crate) fn new<const D: usize>(tensor: Option<Tensor<D>>) -> Self {
        tensor.map_or(Self::Absent, |tensor| Self::Given(tensor.into_dispatch()))
    }
}

impl Maybe<Flex> {
    pub(crate) fn given(self) -> Option<FlexTensor> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
}

impl<C: CheckpointStrategy> Maybe<Autodiff<Flex, C>> {
    /// The tensor itself, and its place in a list of parents.
    pub(crate) fn into_parts(self) -> (Option<FlexTensor>, NodeGuard) {
        match self {
            Self::Given(tensor) => {
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

/// Gradients on their way to parents.
pub(crate) struct Gifts<'a>(pub(crate) &'a mut Gradients);

impl Gifts<'_> {
    /// Hands a gradient to a parent, if the parent wants one and there is one.
    pub(crate) fn to<const D: usize>(
        &mut self,
        parent: Option<NodeId>,
        numbers: Option<Vec<f32>>,
        dims: [usize; D],
    ) {
        if let (Some(parent), Some(numbers)) = (parent, numbers) {
            self.0.register::<Flex>(parent, tensor(numbers, dims));
        }
    }
}
