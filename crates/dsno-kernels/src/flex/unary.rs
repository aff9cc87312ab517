//! Kernels of one tensor as operations of burn's CPU backend, with their gradients.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::FlexTensor;

use super::Contiguous;

/// A function of one tensor and its gradient by that tensor.
pub(crate) trait Unary: Debug + Send + Sync {
    fn forward(&self, x: &Contiguous) -> FlexTensor;

    /// The gradient by `x`, given that by the result.
    fn backward(&self, x: &Contiguous, dy: &Contiguous) -> FlexTensor;
}

pub(crate) fn apply<const D: usize>(x: Tensor<D>, kernel: impl Unary + 'static) -> Tensor<D> {
    let y = <Dispatch as UnaryOps>::kernels_unary(x.into_dispatch(), Arc::new(kernel));
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
trait UnaryOps: Backend {
    fn kernels_unary(x: FloatTensor<Self>, kernel: Arc<dyn Unary>) -> FloatTensor<Self>;
}

impl UnaryOps for Flex {
    fn kernels_unary(x: FlexTensor, kernel: Arc<dyn Unary>) -> FlexTensor {
        kernel.forward(&Contiguous::of(x))
    }
}

impl<C: CheckpointStrategy> UnaryOps for Autodiff<Flex, C> {
    fn kernels_unary(x: FloatTensor<Self>, kernel: Arc<dyn Unary>) -> FloatTensor<Self> {
        let y = kernel.forward(&Contiguous::of(x.primitive().clone()));
        match Step.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), kernel);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    type State = (NodeId, Arc<dyn Unary>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (x, kernel) = ops.state;
        let x = Contiguous::of(checkpointer.retrieve_node_output::<FlexTensor>(x));
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            kernel.backward(&x, &Contiguous::of(dy))
        });
    }
}
