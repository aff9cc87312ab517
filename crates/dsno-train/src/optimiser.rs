//! One network under training: weights, their average, and Adam's moments.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use dsno_kernels::{AdamState, adam_step};
use dsno_operator::UNet;

use crate::recipe::Adam;

/// `ε` of Adam.
const EPSILON: f64 = 1e-8;

/// Weights with everything that moves them, on a device without autodiff.
#[derive(Debug)]
pub(crate) struct Trainee {
    network: UNet,
    traces: HashMap<ParamId, Trace>,
    adam: dsno_kernels::Adam,
}

/// What the updates of one parameter leave behind, flat.
#[derive(Debug)]
struct Trace {
    first_moment: Tensor<1>,
    second_moment: Tensor<1>,
    /// None where the average is the newest weight.
    average: Option<Tensor<1>>,
}

/// All that the next steps depend on, each part in the form of a network.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) weights: UNet,
    pub(crate) average: UNet,
    pub(crate) first_moment: UNet,
    pub(crate) second_moment: UNet,
}

impl Snapshot {
    /// Before the first step.
    pub(crate) fn fresh(network: UNet) -> Self {
        Self {
            first_moment: network.clone().map(&mut Cleared),
            second_moment: network.clone().map(&mut Cleared),
            average: network.clone(),
            weights: network,
        }
    }
}

impl Trainee {
    /// Trains on from `snapshot`, whose networks are on a device without autodiff.
    pub(crate) fn new(snapshot: Snapshot, ema_rate: f64, adam: Adam) -> Self {
        let mut second_moments = flat_parameters(&snapshot.second_moment);
        let mut averages = flat_parameters(&snapshot.average);
        let mut take = |id: ParamId, first_moment: Tensor<1>| {
            let second_moment = second_moments.remove(&id)?;
            let average = averages.remove(&id)?;
            let average = (ema_rate != 0.0).then_some(average);
            let trace = Trace {
                first_moment,
                second_moment,
                average,
            };
            Some((id, trace))
        };
        let first_moments = flat_parameters(&snapshot.first_moment);
        let traces = first_moments.into_iter().map(|(id, first_moment)| {
            take(id, first_moment).expect("invariant: all parts have the network's parameters")
        });
        Self {
            traces: traces.collect(),
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

    /// The averaged weights.
    pub(crate) fn average(&self) -> UNet {
        self.part(|trace| trace.average.as_ref())
    }

    /// The state after the last step.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            weights: self.network.clone(),
            average: self.average(),
            first_moment: self.part(|trace| Some(&trace.first_moment)),
            second_moment: self.part(|trace| Some(&trace.second_moment)),
        }
    }

    /// Step `step`, counted from 1; a parameter that the gradients lack stays as it is.
    pub(crate) fn step(self, gradients: GradientsParams, learning_rate: f64, step: u64) -> Self {
        let mut mover = Mover {
            gradients,
            traces: self.traces,
            adam: dsno_kernels::Adam {
                learning_rate,
                ..self.adam
            },
            step,
        };
        Self {
            network: self.network.map(&mut mover),
            traces: mover.traces,
            adam: self.adam,
        }
    }

    /// The network with a part of the traces in place of its weights, where there is one.
    fn part(&self, part: impl Fn(&Trace) -> Option<&Tensor<1>>) -> UNet {
        let traces = &self.traces;
        self.network.clone().map(&mut Replaced { traces, part })
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    tensor.reshape([len])
}

fn flat_parameters(network: &UNet) -> HashMap<ParamId, Tensor<1>> {
    let mut reader = Reader::default();
    network.visit(&mut reader);
    reader.0
}

#[derive(Debug, Default)]
struct Reader(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, flat(param.val()));
    }
}

/// Zero everywhere.
struct Cleared;

impl ModuleMapper for Cleared {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| weight.zeros_like())
    }
}

struct Replaced<'a, F> {
    traces: &'a HashMap<ParamId, Trace>,
    part: F,
}

impl<F: Fn(&Trace) -> Option<&Tensor<1>>> ModuleMapper for Replaced<'_, F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.traces.get(&param.id).and_then(&self.part) {
            Some(part) => param.map(|weight| part.clone().reshape(weight.shape())),
            None => param,
        }
    }
}

/// One step of all parameters.
struct Mover {
    gradients: GradientsParams,
    traces: HashMap<ParamId, Trace>,
    adam: dsno_kernels::Adam,
    step: u64,
}

impl ModuleMapper for Mover {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return param;
        };
        let trace = self.traces.remove(&id);
        let trace = trace.expect("invariant: every parameter has a trace");
        param.map(|weight| {
            let shape = weight.shape();
            let state = AdamState {
                weight: flat(weight),
                first_moment: trace.first_moment,
                second_moment: trace.second_moment,
                average: trace.average,
            };
            let state = adam_step(state, flat(gradient), self.adam, self.step);
            let trace = Trace {
                first_moment: state.first_moment,
                second_moment: state.second_moment,
                average: state.average,
            };
            self.traces.insert(id, trace);
            state.weight.reshape(shape)
        })
    }
}

#[cfg(test)]
mod tests;
