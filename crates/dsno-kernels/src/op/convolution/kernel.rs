//! The convolution's kernel as an operation of burn's CPU backend, and its gradient.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::cpu::conv::{self, ConvShape, Prologue};
use crate::cpu::norm::Statistics;
use crate::flex::{self, Contiguous, operation};
use crate::op::norm::{GroupNorm, NormConfig, NormParameters};
use crate::resample::Resample;

pub(super) fn run(
    x: Tensor<4>,
    norm: Option<(GroupNorm, Resample)>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let (config, [gamma, beta, modulation]) = match norm {
        Some((norm, resample)) => {
            let (config, tensors) = norm.into_parts(true);
            (Some((config, resample)), tensors)
        }
        None => (None, [None, None, None]),
    };
    let inputs = [
        Some(x.into_dispatch()),
        Some(weight.into_dispatch()),
        Some(bias.into_dispatch()),
        gamma,
        beta,
        modulation,
        residual.map(Tensor::into_dispatch),
    ];
    operation::apply(Convolution(config), inputs)
}

/// The convolution, and the normalisation and resampling before it.
#[derive(Debug)]
struct Convolution(Option<(NormConfig, Resample)>);

/// The convolution's parameters: its weight, and the normalisation and resampling before it.
#[derive(Debug, Clone)]
struct Parameters {
    weight: Contiguous,
    norm: Option<(NormParameters, Resample)>,
}

impl Parameters {
    fn prologue(&self) -> Option<Prologue<'_>> {
        self.norm.as_ref().map(|(norm, resample)| Prologue {
            norm: norm.kernel_args(),
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
}

impl operation::Kernel<7> for Convolution {
    type Memory = (Parameters, Option<Arc<Statistics>>);

    const RESIDUAL: bool = true;

    fn forward(self, inputs: [Contiguous; 7]) -> (FlexTensor, Self::Memory) {
        let [x, weight, bias, gamma, beta, modulation, residual] = inputs;
        let tensors = [gamma, beta, modulation];
        let norm = self
            .0
            .map(|(config, resample)| (NormParameters { config, tensors }, resample));
        let parameters = Parameters { weight, norm };
        let shape = parameters.shape(&x);
        let (y, statistics) = conv::forward(
            shape,
            x.slice(),
            parameters.prologue().as_ref(),
            parameters.weight.slice(),
            Some(bias.slice()),
            residual.present(),
        );
        let dims = [shape.images, shape.height, shape.width, shape.channels_out];
        let memory = (parameters, statistics.map(Arc::new));
        (flex::tensor(y, dims), memory)
    }

    fn backward(
        (parameters, statistics): &Self::Memory,
        x: &Contiguous,
        dy: &Contiguous,
        [wants_x, ..]: [bool; 7],
    ) -> [Option<FlexTensor>; 7] {
        let shape = parameters.shape(x);
        let prologue = parameters.prologue();
        let found = conv::backward(
            shape,
            x.slice(),
            prologue.as_ref().zip(statistics.as_deref()),
            parameters.weight.slice(),
            dy.slice(),
            wants_x,
        );
        let of_norm = parameters.norm.as_ref().zip(found.norm);
        let [gamma, beta, modulation] = of_norm.map_or([None, None, None], |((norm, _), found)| {
            norm.gradients(found)
        });
        [
            found.x.map(|dx| x.with_values(dx)),
            Some(parameters.weight.with_values(found.weight)),
            Some(flex::tensor(found.bias, [shape.channels_out])),
            gamma,
            beta,
            modulation,
            None,
        ]
    }
}
