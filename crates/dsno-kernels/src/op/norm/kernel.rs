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

use super::{GroupNorm, NormConfig, NormParameters};
use crate::cpu::norm::{self, Statistics};
use crate::flex::{self, Contiguous, OptionalTensor, ParentGradients};

/// The activation after the normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Silu,
}

pub(super) fn run(x: Tensor<4>, norm: GroupNorm, activation: Activation) -> Tensor<4> {
    let config = norm.config();
    let y = <Dispatch as NormOps>::kernels_group_norm(
        x.into_dispatch(),
        norm.gamma.into_dispatch(),
        norm.beta.into_dispatch(),
        OptionalTensor::new(norm.modulation),
        config,
        activation,
    );
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
trait NormOps: Backend {
    fn kernels_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        #[extension_type] modulation: OptionalTensor<Self>,
        config: NormConfig,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

#[derive(Debug, Clone)]
struct NormActivation {
    norm: NormParameters,
    activation: Activation,
}

impl NormActivation {
    fn kernel_args(&self) -> norm::GroupNorm<'_> {
        self.norm.kernel_args(self.activation == Activation::Silu)
    }

    fn forward(&self, x: &Contiguous) -> (FlexTensor, Statistics) {
        let dims @ [n, h, w, c] = x.dims();
        let (y, statistics) = norm::forward(&self.kernel_args(), n, h * w, c, x.slice());
        (flex::tensor(y, dims), statistics)
    }
}

impl NormOps for Flex {
    fn kernels_group_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        modulation: OptionalTensor<Self>,
        config: NormConfig,
        activation: Activation,
    ) -> FlexTensor {
        let norm = NormParameters {
            gamma: Contiguous::of(gamma),
            beta: Contiguous::of(beta),
            modulation: modulation.into_option().map(Contiguous::of),
            config,
        };
        let layer = NormActivation { norm, activation };
        layer.forward(&Contiguous::of(x)).0
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
    fn kernels_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        modulation: OptionalTensor<Self>,
        config: NormConfig,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let (modulation, at_modulation) = modulation.into_parts();
        let parents = [x.node(), gamma.node(), beta.node(), at_modulation];
        let norm = NormParameters {
            gamma: Contiguous::of(gamma.into_primitive()),
            beta: Contiguous::of(beta.into_primitive()),
            modulation: modulation.map(Contiguous::of),
            config,
        };
        let layer = NormActivation { norm, activation };
        let (y, statistics) = layer.forward(&Contiguous::of(x.primitive().clone()));
        match Norm.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State {
                    x: prep.checkpoint(&x),
                    layer,
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
    layer: NormActivation,
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
        let dy = Contiguous::of(gradients.consume::<Flex>(&ops.node));
        let x = Contiguous::of(checkpointer.retrieve_node_output::<FlexTensor>(state.x));
        let dims @ [n, h, w, c] = x.dims();
        let norm = state.layer.kernel_args();
        let found = norm::backward(&norm, n, h * w, c, x.slice(), &state.statistics, dy.slice());
        let rows = state.layer.norm.modulation_rows();
        let mut gradients = ParentGradients(gradients);
        gradients.register(at_x.map(|node| node.id), Some(found.x), dims);
        gradients.register(at_gamma.map(|node| node.id), Some(found.gamma), [c]);
        gradients.register(at_beta.map(|node| node.id), Some(found.beta), [c]);
        gradients.register(
            at_modulation.map(|node| node.id),
            found.modulation,
            [rows, 2 * c],
        );
    }
}
