//! The temporal convolution's kernel as an operation of burn's CPU backend, and its gradient.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use crate::cpu::temporal::{self, TemporalShape};
use crate::flex::{Contiguous, ParentGradients};

pub(super) fn run(u: Tensor<4>, weight: Tensor<4>, times: usize) -> Tensor<4> {
    let y = <Dispatch as TemporalOps>::kernels_temporal(
        u.into_dispatch(),
        weight.into_dispatch(),
        times,
    );
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
trait TemporalOps: Backend {
    fn kernels_temporal(
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        times: usize,
    ) -> FloatTensor<Self>;
}

fn shape(u: &Contiguous, weight: &Contiguous, times: usize) -> TemporalShape {
    let ([n, h, w, channels], [_, _, modes, _]) = (u.dims(), weight.dims());
    TemporalShape {
        samples: n / times,
        times,
        pixels: h * w,
        channels,
        modes,
    }
}

fn forward(u: &Contiguous, weight: &Contiguous, times: usize) -> FlexTensor {
    u.with_values(temporal::forward(
        shape(u, weight, times),
        u.slice(),
        weight.slice(),
    ))
}

impl TemporalOps for Flex {
    fn kernels_temporal(u: FlexTensor, weight: FlexTensor, times: usize) -> FlexTensor {
        forward(&Contiguous::of(u), &Contiguous::of(weight), times)
    }
}

impl<C: CheckpointStrategy> TemporalOps for Autodiff<Flex, C> {
    fn kernels_temporal(
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        times: usize,
    ) -> FloatTensor<Self> {
        let parents = [u.node(), weight.node()];
        let weight = Contiguous::of(weight.into_primitive());
        let y = forward(&Contiguous::of(u.primitive().clone()), &weight, times);
        match Temporal.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&u), weight, times);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct Temporal;

impl Backward<Flex, 2> for Temporal {
    type State = (NodeId, Contiguous, usize);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [at_u, at_weight] = ops.parents;
        let (u, weight, times) = ops.state;
        let dy = Contiguous::of(gradients.consume::<Flex>(&ops.node));
        let u = Contiguous::of(checkpointer.retrieve_node_output::<FlexTensor>(u));
        let shape = shape(&u, &weight, times);
        let (du, dweight) = temporal::backward(shape, u.slice(), weight.slice(), dy.slice());
        let mut gradients = ParentGradients(gradients);
        gradients.register(at_u.map(|node| node.id), Some(du), u.dims::<4>());
        gradients.register(
            at_weight.map(|node| node.id),
            Some(dweight),
            weight.dims::<4>(),
        );
    }
}
