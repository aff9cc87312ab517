//! The convolution's kernel as an operation of burn's CPU backend, and its gradient.

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

use crate::cpu::conv::{self, ConvShape, Prologue};
use crate::cpu::norm::Statistics;
use crate::flex::{self, Contiguous, OptionalTensor, ParentGradients};
use crate::op::norm::{GroupNorm, NormConfig, NormParameters};
use crate::resample::Resample;

pub(super) fn run(
    x: Tensor<4>,
    norm: Option<(GroupNorm, Resample)>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let config = norm
        .as_ref()
        .map(|(norm, resample)| (norm.config(), *resample));
    let (gamma, beta, modulation) = match norm {
        Some((norm, _)) => (Some(norm.gamma), Some(norm.beta), norm.modulation),
        None => (None, None, None),
    };
    let y = <Dispatch as ConvolutionOps>::kernels_conv3x3(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        OptionalTensor::new(gamma),
        OptionalTensor::new(beta),
        OptionalTensor::new(modulation),
        OptionalTensor::new(residual),
        config,
    );
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex, Autodiff)]
#[allow(
    clippy::too_many_arguments,
    reason = "tensors cross the dispatch one by one"
)]
trait ConvolutionOps: Backend {
    fn kernels_conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] gamma: OptionalTensor<Self>,
        #[extension_type] beta: OptionalTensor<Self>,
        #[extension_type] modulation: OptionalTensor<Self>,
        #[extension_type] residual: OptionalTensor<Self>,
        config: Option<(NormConfig, Resample)>,
    ) -> FloatTensor<Self>;
}

/// The convolution's parameters: its weight, and the normalisation and resampling before it.
#[derive(Debug, Clone)]
struct Parameters {
    weight: Contiguous,
    norm: Option<(NormParameters, Resample)>,
}

impl Parameters {
    fn new(
        weight: FlexTensor,
        gamma: Option<FlexTensor>,
        beta: Option<FlexTensor>,
        modulation: Option<FlexTensor>,
        config: Option<(NormConfig, Resample)>,
    ) -> Self {
        let norm = match (gamma, beta, config) {
            (Some(gamma), Some(beta), Some((config, resample))) => {
                let norm = NormParameters {
                    gamma: Contiguous::of(gamma),
                    beta: Contiguous::of(beta),
                    modulation: modulation.map(Contiguous::of),
                    config,
                };
                Some((norm, resample))
            }
            _ => None,
        };
        Self {
            weight: Contiguous::of(weight),
            norm,
        }
    }

    fn prologue(&self) -> Option<Prologue<'_>> {
        self.norm.as_ref().map(|(norm, resample)| Prologue {
            norm: norm.kernel_args(true),
            resample: *resample,
        })
    }

    fn shape(&self, x: &Contiguous) -> ConvShape {
        let [images, height, width, channels_in] = x.dims();
        let [channels_out, _, _, _] = self.weight.dims();
        let resample = self.norm.as_ref().map_or(Resample::Keep, |norm| norm.1);
        let [height, width] = resample.of([height, width]);
        ConvShape {
            images,
            height,
            width,
            channels_in,
            channels_out,
        }
    }

    fn forward(
        &self,
        x: &Contiguous,
        bias: FlexTensor,
        residual: Option<FlexTensor>,
    ) -> (FlexTensor, Option<Statistics>) {
        let shape = self.shape(x);
        let (bias, residual) = (Contiguous::of(bias), residual.map(Contiguous::of));
        let (y, statistics) = conv::forward(
            shape,
            x.slice(),
            self.prologue().as_ref(),
            self.weight.slice(),
            Some(bias.slice()),
            residual.as_ref().map(Contiguous::slice),
        );
        let dims = [shape.images, shape.height, shape.width, shape.channels_out];
        (flex::tensor(y, dims), statistics)
    }
}

impl ConvolutionOps for Flex {
    fn kernels_conv3x3(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        gamma: OptionalTensor<Self>,
        beta: OptionalTensor<Self>,
        modulation: OptionalTensor<Self>,
        residual: OptionalTensor<Self>,
        config: Option<(NormConfig, Resample)>,
    ) -> FlexTensor {
        let [gamma, beta, modulation, residual] =
            [gamma, beta, modulation, residual].map(OptionalTensor::into_option);
        let parameters = Parameters::new(weight, gamma, beta, modulation, config);
        parameters.forward(&Contiguous::of(x), bias, residual).0
    }
}

impl<C: CheckpointStrategy> ConvolutionOps for Autodiff<Flex, C> {
    fn kernels_conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: OptionalTensor<Self>,
        beta: OptionalTensor<Self>,
        modulation: OptionalTensor<Self>,
        residual: OptionalTensor<Self>,
        config: Option<(NormConfig, Resample)>,
    ) -> FloatTensor<Self> {
        let optional = [gamma, beta, modulation, residual].map(OptionalTensor::into_parts);
        let [
            (gamma, at_gamma),
            (beta, at_beta),
            (modulation, at_modulation),
            (residual, at_residual),
        ] = optional;
        let parents = [
            x.node(),
            weight.node(),
            bias.node(),
            at_gamma,
            at_beta,
            at_modulation,
            at_residual,
        ];
        let parameters = Parameters::new(weight.into_primitive(), gamma, beta, modulation, config);
        let maps = Contiguous::of(x.primitive().clone());
        let (y, statistics) = parameters.forward(&maps, bias.into_primitive(), residual);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State {
                    x: prep.checkpoint(&x),
                    parameters,
                    statistics: statistics.map(Arc::new),
                };
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct Convolution;

#[derive(Debug, Clone)]
struct State {
    x: NodeId,
    parameters: Parameters,
    statistics: Option<Arc<Statistics>>,
}

impl Backward<Flex, 7> for Convolution {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 7>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let State {
            x,
            parameters,
            statistics,
        } = ops.state;
        let [
            at_x,
            at_weight,
            at_bias,
            at_gamma,
            at_beta,
            at_modulation,
            at_residual,
        ] = ops.parents;
        let dy = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = at_residual {
            gradients.register::<Flex>(node.id, dy.clone());
        }
        let dy = Contiguous::of(dy);
        let x = Contiguous::of(checkpointer.retrieve_node_output::<FlexTensor>(x));
        let shape = parameters.shape(&x);
        let prologue = parameters.prologue();
        let found = conv::backward(
            shape,
            x.slice(),
            prologue.as_ref().zip(statistics.as_deref()),
            parameters.weight.slice(),
            dy.slice(),
            at_x.is_some() || prologue.is_some(),
        );
        let [_, height, width, channels_in] = x.dims::<4>();
        let (images, channels_out) = (shape.images, shape.channels_out);
        let mut gradients = ParentGradients(gradients);
        gradients.register(
            at_x.map(|node| node.id),
            found.x,
            [images, height, width, channels_in],
        );
        let weight = Some(found.weight);
        gradients.register(
            at_weight.map(|node| node.id),
            weight,
            [channels_out, channels_in, 3, 3],
        );
        gradients.register(
            at_bias.map(|node| node.id),
            Some(found.bias),
            [channels_out],
        );
        if let (Some(found), Some((norm, _))) = (found.norm, &parameters.norm) {
            let rows = norm.modulation_rows();
            let (gamma, beta, modulation) = found;
            gradients.register(at_gamma.map(|node| node.id), Some(gamma), [channels_in]);
            gradients.register(at_beta.map(|node| node.id), Some(beta), [channels_in]);
            let dims = [rows, 2 * channels_in];
            gradients.register(at_modulation.map(|node| node.id), modulation, dims);
        }
    }
}
