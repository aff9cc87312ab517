//! One network under training: weights, their exponential moving average (EMA), Adam's moments.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use dsno_kernels::{AdamState, adam_step};
use dsno_operator::UNet;

use crate::recipe::Adam;

/// `ε` of Adam.
const EPSILON: f64 = 1e-8;

/// Share of the old average that one step keeps, so that it halves in `half_life_images`.
///
/// ```text
/// rate = 2^(−batch / half-life)         0 where the half-life is 0: the average is the newest weight
/// ```
///
/// ```
/// // The paper's rate of 0.9999 at a batch of 256 halves in 1.77 million images.
/// let rate = dsno_train::ema_rate(256, 1_774_400.0);
/// assert!((rate - 0.9999).abs() < 1e-8);
/// ```
pub fn ema_rate(batch_size: usize, half_life_images: f64) -> f64 {
    if half_life_images == 0.0 {
        0.0
    } else {
        (-(batch_size as f64) / half_life_images).exp2()
    }
}

/// A network with the state of its optimiser, on a device without autodiff.
#[derive(Debug)]
pub(crate) struct Trainee {
    network: UNet,
    states: HashMap<ParamId, ParameterState>,
    adam: dsno_kernels::Adam,
}

/// Optimiser state of one parameter, each tensor flattened.
#[derive(Debug)]
struct ParameterState {
    first_moment: Tensor<1>,
    second_moment: Tensor<1>,
    /// None where the EMA is the newest weight.
    ema: Option<Tensor<1>>,
}

/// All that the next steps depend on, each part stored as a network.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) weights: UNet,
    pub(crate) ema: UNet,
    pub(crate) first_moment: UNet,
    pub(crate) second_moment: UNet,
}

impl Snapshot {
    /// Before the first step.
    pub(crate) fn fresh(network: UNet) -> Self {
        Self {
            first_moment: network.clone().map(&mut Zeroed),
            second_moment: network.clone().map(&mut Zeroed),
            ema: network.clone(),
            weights: network,
        }
    }
}

impl Trainee {
    /// Trains on from `snapshot`, whose networks are on a device without autodiff.
    pub(crate) fn new(snapshot: Snapshot, ema_rate: f64, adam: Adam) -> Self {
        let mut second_moments = flat_parameters(&snapshot.second_moment);
        let mut emas = flat_parameters(&snapshot.ema);
        let first_moments = flat_parameters(&snapshot.first_moment);
        let states = first_moments.into_iter().map(|(id, first_moment)| {
            let others = second_moments.remove(&id).zip(emas.remove(&id));
            let others = others.expect("invariant: all parts have the network's parameters");
            let state = ParameterState {
                first_moment,
                second_moment: others.0,
                ema: (ema_rate != 0.0).then_some(others.1),
            };
            (id, state)
        });
        Self {
            states: states.collect(),
            network: snapshot.weights,
            adam: dsno_kernels::Adam {
                learning_rate: 0.0,
                beta_1: adam.beta_1,
                beta_2: adam.beta_2,
                epsilon: EPSILON,
                average_rate: ema_rate,
            },
        }
    }

    /// The newest weights.
    pub(crate) fn network(&self) -> &UNet {
        &self.network
    }

    /// The network with averaged weights.
    pub(crate) fn ema(&self) -> UNet {
        self.part(|state| state.ema.as_ref())
    }

    /// The state after the last step.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            weights: self.network.clone(),
            ema: self.ema(),
            first_moment: self.part(|state| Some(&state.first_moment)),
            second_moment: self.part(|state| Some(&state.second_moment)),
        }
    }

    /// Step `step`, counted from 1; a parameter that the gradients lack stays as it is.
    pub(crate) fn step(self, gradients: GradientsParams, learning_rate: f64, step: u64) -> Self {
        let mut update = AdamUpdate {
            gradients,
            states: self.states,
            adam: dsno_kernels::Adam {
                learning_rate,
                ..self.adam
            },
            step,
        };
        Self {
            network: self.network.map(&mut update),
            states: update.states,
            adam: self.adam,
        }
    }

    /// The network with a part of the optimiser's state in place of its weights, where there is one.
    fn part(&self, part: impl Fn(&ParameterState) -> Option<&Tensor<1>>) -> UNet {
        let states = &self.states;
        self.network.clone().map(&mut Replaced { states, part })
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    tensor.reshape([len])
}

fn flat_parameters(network: &UNet) -> HashMap<ParamId, Tensor<1>> {
    let mut reader = FlatParameters::default();
    network.visit(&mut reader);
    reader.0
}

/// Every parameter, flattened, by its id.
#[derive(Debug, Default)]
struct FlatParameters(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for FlatParameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, flat(param.val()));
    }
}

/// [`ModuleMapper`] that sets every parameter to zero.
struct Zeroed;

impl ModuleMapper for Zeroed {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| weight.zeros_like())
    }
}

/// [`ModuleMapper`] that replaces weights by a part of the optimiser's state.
struct Replaced<'a, F> {
    states: &'a HashMap<ParamId, ParameterState>,
    part: F,
}

impl<F: Fn(&ParameterState) -> Option<&Tensor<1>>> ModuleMapper for Replaced<'_, F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.states.get(&param.id).and_then(&self.part) {
            Some(part) => param.map(|weight| part.clone().reshape(weight.shape())),
            None => param,
        }
    }
}

/// [`ModuleMapper`] that applies one step of Adam to every parameter.
struct AdamUpdate {
    gradients: GradientsParams,
    states: HashMap<ParamId, ParameterState>,
    adam: dsno_kernels::Adam,
    step: u64,
}

impl ModuleMapper for AdamUpdate {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return param;
        };
        let state = self.states.remove(&id);
        let state = state.expect("invariant: every parameter has an optimiser state");
        param.map(|weight| {
            let shape = weight.shape();
            let state = AdamState {
                weight: flat(weight),
                first_moment: state.first_moment,
                second_moment: state.second_moment,
                average: state.ema,
            };
            let state = adam_step(state, flat(gradient), self.adam, self.step);
            let kept = ParameterState {
                first_moment: state.first_moment,
                second_moment: state.second_moment,
                ema: state.average,
            };
            self.states.insert(id, kept);
            state.weight.reshape(shape)
        })
    }
}

#[cfg(test)]
mod tests;
