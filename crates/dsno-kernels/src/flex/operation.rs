//! Kernels as operations of burn's CPU backend, with their gradients.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor,
    DispatchTensorKind, ExtensionType, Flex, backend_extension,
};
use burn::tensor::Tensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use super::{Contiguous, nothing};

/// A function of `N` tensors and its gradients; an input that is absent is [`nothing`].
pub(crate) trait Kernel<const N: usize>: Debug + Send + 'static {
    /// What the forward pass leaves to the backward pass, beside the first input.
    type Memory: Debug + Clone + Send + 'static;

    /// Whether the backward pass reads the first input; it gets [`nothing`] if not.
    const READS: bool = true;

    /// Whether the last input is added to the result, whose gradient is then its own.
    const RESIDUAL: bool = false;

    fn forward(self, inputs: [Contiguous; N]) -> (FlexTensor, Self::Memory);

    /// Gradients by the inputs but a residual, at least by those that are wanted, given that by the
    /// result.
    fn backward(
        memory: &Self::Memory,
        x: &Contiguous,
        dy: &Contiguous,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// The result of a kernel of tensors, some of which may be absent, but not the first.
pub(crate) fn apply<K: Kernel<N>, const N: usize, const D: usize>(
    kernel: K,
    inputs: [Option<DispatchTensor>; N],
) -> Tensor<D> {
    let inputs = Inputs::<Dispatch>(inputs.into());
    let y = <Dispatch as KernelOps>::kernels_apply::<K, N>(inputs, kernel);
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
trait KernelOps: Backend {
    fn kernels_apply<K: Kernel<N>, const N: usize>(
        #[extension_type] inputs: Inputs<Self>,
        kernel: K,
    ) -> FloatTensor<Self>;
}

impl KernelOps for Flex {
    fn kernels_apply<K: Kernel<N>, const N: usize>(inputs: Inputs<Self>, kernel: K) -> FlexTensor {
        let inputs: [FlexTensor; N] = inputs.into_array(nothing);
        kernel.forward(inputs.map(Contiguous::of)).0
    }
}

impl<C: CheckpointStrategy> KernelOps for Autodiff<Flex, C> {
    fn kernels_apply<K: Kernel<N>, const N: usize>(
        inputs: Inputs<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        let inputs: [FloatTensor<Self>; N] =
            inputs.into_array(|| <FloatTensor<Self>>::new(nothing()));
        let nodes = inputs.each_ref().map(<FloatTensor<Self>>::node);
        let x = inputs.first().filter(|_| K::READS).cloned();
        let inputs = inputs.map(|input| Contiguous::of(input.into_primitive()));
        let (y, memory) = kernel.forward(inputs);
        let step = <Step<K> as Backward<Flex, N>>::prepare::<C>(Step(PhantomData), nodes);
        match step.compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let x = x.map(|x| prep.checkpoint(&x));
                prep.finish((x, memory), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// The backward pass of a kernel.
#[derive(Debug)]
struct Step<K>(PhantomData<K>);

impl<K: Kernel<N>, const N: usize> Backward<Flex, N> for Step<K> {
    type State = (Option<NodeId>, K::Memory);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (x, memory) = ops.state;
        let dy = gradients.consume::<Flex>(&ops.node);
        if K::RESIDUAL
            && let Some(Some(residual)) = ops.parents.last()
        {
            gradients.register::<Flex>(residual.id, dy.clone());
        }
        let dy = Contiguous::of(dy);
        let x = x.map_or_else(nothing, |x| checkpointer.retrieve_node_output(x));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = K::backward(&memory, &Contiguous::of(x), &dy, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Tensors that pass through the dispatch together, some of which may be absent.
pub(crate) struct Inputs<B: Backend>(pub(crate) Vec<Option<FloatTensor<B>>>);

impl<B: Backend> Inputs<B> {
    /// All of them, `absent` where one is.
    fn into_array<const N: usize>(
        self,
        absent: impl Fn() -> FloatTensor<B>,
    ) -> [FloatTensor<B>; N] {
        let mut inputs = self.0.into_iter();
        std::array::from_fn(|_| inputs.next().flatten().unwrap_or_else(&absent))
    }
}

impl<B: Backend> ExtensionType<B> for Inputs<B> {
    type Target = Inputs<Dispatch>;

    fn map_to_dispatch<F>(self, map_kind: F, autodiff: DispatchAutodiffContext) -> Self::Target
    where
        F: Fn(BackendTensor<B>) -> DispatchTensorKind,
    {
        let wrap = |tensor| DispatchTensor {
            kind: map_kind(BackendTensor::Float(tensor)),
            autodiff,
        };
        let tensors = self.0.into_iter().map(|input| input.map(wrap));
        Inputs(tensors.collect())
    }

    fn map_from_dispatch<F>(target: Self::Target, unwrap_kind: F) -> Self
    where
        F: Fn(DispatchTensor) -> BackendTensor<B>,
    {
        let unwrap = |tensor| unwrap_kind(tensor).float();
        let tensors = target.0.into_iter().map(|input| input.map(unwrap));
        Self(tensors.collect())
    }

    fn routing_tensor(target: &Self::Target) -> Option<&DispatchTensor> {
        target.0.iter().flatten().next()
    }

    fn routing_float_tensor(target: &Self::Target) -> Option<&DispatchTensor> {
        <Self as ExtensionType<B>>::routing_tensor(target)
    }

    fn autodiff_context(target: &Self::Target) -> DispatchAutodiffContext {
        let contexts = target.0.iter().flatten().map(|tensor| tensor.autodiff);
        contexts.fold(
            DispatchAutodiffContext::Disabled,
            DispatchAutodiffContext::merge,
        )
    }
}
