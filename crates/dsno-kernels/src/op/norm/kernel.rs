//! The normalisation's kernel as an operation of burn's CPU backend, and its gradient.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use super::{GroupNorm, NormNumbers, NormPlan};
use crate::cpu::norm::{self, Statistics};
use crate::flex::{self, Gifts, Maybe, Numbers};

/// What follows the normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    Silu,
}

pub(super) fn run(x: Tensor<4>, norm: GroupNorm, then: Then) -> Tensor<4> {
    let plan = norm.plan();
    let y = <Dispatch as NormOps>::kernels_group_norm(
        x.into_dispatch(),
        norm.gamma.into_dispatch(),
        norm.beta.into_dispatch(),
        Maybe::new(norm.modulation),
        plan,
        then,
    );
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
trait NormOps: Backend {
    fn kernels_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        #[extension_type] modulation: Maybe<Self>,
        plan: NormPlan,
        then: Then,
    ) -> FloatTensor<Self>;
}

#[derive(Debug, Clone)]
struct Parameters {
    numbers: NormNumbers,
    then: Then,
}

impl Parameters {
    fn norm(&self) -> norm::GroupNorm<'_> {
        self.numbers.with(self.then == Then::Silu)
    }

    fn forward(&self, x: &Numbers) -> (FlexTensor, Statistics) {
        let dims @ [n, h, w, c] = x.dims();
        let (y, statistics) = norm::forward(&self.norm(), n, h * w, c, x.slice());
        (flex::tensor(y, dims), statistics)
    }
}

impl NormOps for Flex {
    fn kernels_group_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        modulation: Maybe<Self>,
        plan: NormPlan,
        then: Then,
    ) -> FlexTensor {
        let numbers = NormNumbers {
            gamma: Numbers::of(gamma),
            beta: Numbers::of(beta),
            modulation: modulation.given().map(Numbers::of),
            plan,
        };
        let parameters = Parameters { numbers, then };
        parameters.forward(&Numbers::of(x)).0
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
    fn kernels_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        modulation: Maybe<Self>,
        plan: NormPlan,
        then: Then,
    ) -> FloatTensor<Self> {
        let (modulation, at_modulation) = modulation.into_parts();
        let parents = [x.node(), gamma.node(), beta.node(), at_modulation];
        let numbers = NormNumbers {
            gamma: Numbers::of(gamma.into_primitive()),
            beta: Numbers::of(beta.into_primitive()),
            modulation: modulation.map(Numbers::of),
            plan,
        };
        let parameters = Parameters { numbers, then };
        let (y, statistics) = parameters.forward(&Numbers::of(x.primitive().clone()));
        match Norm.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State {
                    x: prep.checkpoint(&x),
                    parameters,
                    statistics: Arc::new(statistics),
                };
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct Norm;

#[derive(Debug, Clone)]
struct State {
    x: NodeId,
    parameters: Parameters,
    statistics: Arc<Statistics>,
}

impl Backward<Flex, 4> for Norm {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 4>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [at_x, at_gamma, at_beta, at_modulation] = ops.parents;
        let state = ops.state;
        let dy = Numbers::of(gradients.consume::<Flex>(&ops.node));
        let x = Numbers::of(checkpointer.retrieve_node_output::<FlexTensor>(state.x));
        let dims @ [n, h, w, c] = x.dims();
        let norm = state.parameters.norm();
        let found = norm::backward(&norm, n, h * w, c, x.slice(), &state.statistics, dy.slice());
        let rows = state.parameters.numbers.rows();
        let mut give = Gifts(gradients);
        give.to(at_x.map(|node| node.id), Some(found.x), dims);
        give.to(at_gamma.map(|node| node.id), Some(found.gamma), [c]);
        give.to(at_beta.map(|node| node.id), Some(found.beta), [c]);
        give.to(
            at_modulation.map(|node| node.id),
            found.modulation,
            [rows, 2 * c],
        );
    }
}
