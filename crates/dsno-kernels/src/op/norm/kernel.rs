//! The normalisation's kernel as an operation of burn's CPU backend, and its gradient.

use std::sync::Arc;

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::GroupNorm;
use crate::cpu::norm::{self, ParameterGradients, Statistics};
use crate::flex::{self, Contiguous, operation};

/// Normalises, with SiLU or without.
pub(super) fn run(x: Tensor<4>, norm: GroupNorm, silu: bool) -> Tensor<4> {
    let (config, [gamma, beta, modulation]) = norm.into_parts(silu);
    let inputs = [Some(x.into_dispatch()), gamma, beta, modulation];
    operation::apply(config, inputs)
}

/// Hyper-parameters of a group normalisation, and whether SiLU follows.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct NormConfig {
    groups: usize,
    epsilon: f64,
    silu: bool,
}

impl GroupNorm {
    /// Its numbers, followed by SiLU or not, and its gain, offset and modulation.
    pub(in crate::op) fn into_parts(self, silu: bool) -> (NormConfig, [Option<DispatchTensor>; 3]) {
        let config = NormConfig {
            groups: self.groups,
            epsilon: self.epsilon,
            silu,
        };
        let [gamma, beta] = [self.gamma, self.beta].map(|tensor| Some(tensor.into_dispatch()));
        let modulation = self.modulation.map(Tensor::into_dispatch);
        (config, [gamma, beta, modulation])
    }
}

/// A group normalisation with its gain, offset and modulation.
#[derive(Debug, Clone)]
pub(in crate::op) struct NormParameters {
    pub(in crate::op) config: NormConfig,
    pub(in crate::op) tensors: [Contiguous; 3],
}

impl NormParameters {
    pub(in crate::op) fn kernel_args(&self) -> norm::GroupNorm<'_> {
        let [gamma, beta, modulation] = &self.tensors;
        norm::GroupNorm {
            groups: self.config.groups,
            epsilon: self.config.epsilon,
            gamma: gamma.slice(),
            beta: beta.slice(),
            modulation: modulation.present(),
            silu: self.config.silu,
        }
    }

    /// Gradients of the three tensors.
    pub(in crate::op) fn gradients(&self, found: ParameterGradients) -> [Option<FlexTensor>; 3] {
        let [gamma, beta, modulation] = &self.tensors;
        [
            Some(gamma.with_values(found.0)),
            Some(beta.with_values(found.1)),
            found.2.map(|values| modulation.with_values(values)),
        ]
    }
}

impl operation::Kernel<4> for NormConfig {
    type Memory = (NormParameters, Arc<Statistics>);

    fn forward(self, [x, tensors @ ..]: [Contiguous; 4]) -> (FlexTensor, Self::Memory) {
        let dims @ [n, h, w, c] = x.dims();
        let norm = NormParameters {
            config: self,
            tensors,
        };
        let (y, statistics) = norm::forward(&norm.kernel_args(), n, h * w, c, x.slice());
        (flex::tensor(y, dims), (norm, Arc::new(statistics)))
    }

    fn backward(
        (norm, statistics): &Self::Memory,
        x: &Contiguous,
        dy: &Contiguous,
        _: [bool; 4],
    ) -> [Option<FlexTensor>; 4] {
        let [n, h, w, c] = x.dims();
        let args = norm.kernel_args();
        let found = norm::backward(&args, n, h * w, c, x.slice(), statistics, dy.slice());
        let parameters = (found.gamma, found.beta, found.modulation);
        let [gamma, beta, modulation] = norm.gradients(parameters);
        [Some(x.with_values(found.x)), gamma, beta, modulation]
    }
}
