//! The 1×1 convolution's kernel as an operation of burn's CPU backend, and its gradient.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use crate::cpu::conv1x1;
use crate::flex::{self, Contiguous, OptionalTensor, ParentGradients};

pub(super) fn run(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Conv1x1Ops>::kernels_conv1x1(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        OptionalTensor::new(residual),
    ))
}

#[backend_extension(Flex, Autodiff)]
trait Conv1x1Ops: Backend {
    fn kernels_conv1x1(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] residual: OptionalTensor<Self>,
    ) -> FloatTensor<Self>;
}

fn forward(
    x: &Contiguous,
    weight: &Contiguous,
    bias: FlexTensor,
    residual: Option<FlexTensor>,
) -> FlexTensor {
    let ([n, h, w, _], shape @ [_, channels_out]) = (x.dims(), weight.dims());
    let residual = residual.map(Contiguous::of);
    let y = conv1x1::forward(
        n * h * w,
        shape,
        x.slice(),
        weight.slice(),
        Some(Contiguous::of(bias).slice()),
        residual.as_ref().map(Contiguous::slice),
    );
    flex::tensor(y, [n, h, w, channels_out])
}

impl Conv1x1Ops for Flex {
    fn kernels_conv1x1(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: OptionalTensor<Self>,
    ) -> FlexTensor {
        forward(
            &Contiguous::of(x),
            &Contiguous::of(weight),
            bias,
            residual.into_option(),
        )
    }
}

impl<C: CheckpointStrategy> Conv1x1Ops for Autodiff<Flex, C> {
    fn kernels_conv1x1(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: OptionalTensor<Self>,
    ) -> FloatTensor<Self> {
        let (residual, at_residual) = residual.into_parts();
        let parents = [x.node(), weight.node(), bias.node(), at_residual];
        let weight = Contiguous::of(weight.into_primitive());
        let maps = Contiguous::of(x.primitive().clone());
        let y = forward(&maps, &weight, bias.into_primitive(), residual);
        match Conv1x1.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), weight);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct Conv1x1;

impl Backward<Flex, 4> for Conv1x1 {
    type State = (NodeId, Contiguous);

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [at_x, at_weight, at_bias, at_residual] = ops.parents;
        let (x, weight) = ops.state;
        let dy = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = at_residual {
            gradients.register::<Flex>(node.id, dy.clone());
        }
        let dy = Contiguous::of(dy);
        let x = Contiguous::of(checkpointer.retrieve_node_output::<FlexTensor>(x));
        let (dims @ [n, h, w, _], shape @ [_, channels_out]) = (x.dims(), weight.dims());
        let found = conv1x1::backward(
            n * h * w,
            shape,
            x.slice(),
            weight.slice(),
            dy.slice(),
            at_x.is_some(),
        );
        let mut gradients = ParentGradients(gradients);
        gradients.register(at_x.map(|node| node.id), found.x, dims);
        gradients.register(at_weight.map(|node| node.id), Some(found.weight), shape);
        gradients.register(
            at_bias.map(|node| node.id),
            Some(found.bias),
            [channels_out],
        );
    }
}
