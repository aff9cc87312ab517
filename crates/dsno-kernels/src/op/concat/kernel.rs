//! The concatenation's kernel as an operation of burn's CPU backend, and its gradient.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use crate::cpu::concat;
use crate::flex::{self, Contiguous, ParentGradients};

pub(super) fn run(one: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    let (one, other) = (one.into_dispatch(), other.into_dispatch());
    Tensor::from_dispatch(<Dispatch as ConcatOps>::kernels_concat(one, other))
}

#[backend_extension(Flex, Autodiff)]
trait ConcatOps: Backend {
    fn kernels_concat(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Maps, height, width, and channels of both.
type Sizes = ([usize; 3], [usize; 2]);

fn forward(one: FlexTensor, other: FlexTensor) -> (FlexTensor, Sizes) {
    let (one, other) = (Contiguous::of(one), Contiguous::of(other));
    let ([n, h, w, a], [_, _, _, b]) = (one.dims(), other.dims());
    let both = concat::forward(n * h * w, [a, b], one.slice(), other.slice());
    (flex::tensor(both, [n, h, w, a + b]), ([n, h, w], [a, b]))
}

impl ConcatOps for Flex {
    fn kernels_concat(one: FlexTensor, other: FlexTensor) -> FlexTensor {
        forward(one, other).0
    }
}

impl<C: CheckpointStrategy> ConcatOps for Autodiff<Flex, C> {
    fn kernels_concat(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        let parents = [one.node(), other.node()];
        let (both, sizes) = forward(one.into_primitive(), other.into_primitive());
        match Concat.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(sizes, both),
            OpsKind::UnTracked(prep) => prep.finish(both),
        }
    }
}

#[derive(Debug)]
struct Concat;

impl Backward<Flex, 2> for Concat {
    type State = Sizes;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [at_one, at_other] = ops.parents;
        let ([n, h, w], widths @ [a, b]) = ops.state;
        let dy = Contiguous::of(gradients.consume::<Flex>(&ops.node));
        let [one, other] = concat::backward(n * h * w, widths, dy.slice());
        let mut gradients = ParentGradients(gradients);
        gradients.register(at_one.map(|node| node.id), Some(one), [n, h, w, a]);
        gradients.register(at_other.map(|node| node.id), Some(other), [n, h, w, b]);
    }
}
