//! Adam with an average of the weights, over all parameters of a network at once.

use std::cell::RefCell;

use burn::tensor::{Device, Distribution, Tensor};
use dsno_kernels::{Adam, AdamState, adam_step};

use crate::machine::Copying;
use crate::turns::medians;

/// Parameters of the two students.
const PARAMETERS: [usize; 2] = [904_161, 8_463_747];

const ADAM: Adam = Adam {
    learning_rate: 2e-4,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    average_rate: 0.9999,
};

pub(crate) fn rows() {
    for count in PARAMETERS {
        let gradient = normal(count);
        let copying = Copying::new(count);
        let [ours, burns] = [(); 2].map(|()| RefCell::new(Some(start(count))));
        let step = |state: &RefCell<Option<AdamState<1>>>,
                    by: &dyn Fn(AdamState<1>) -> AdamState<1>| {
            let next = state.take().map(by);
            state.replace(next);
        };
        let [kernel, burn, copy] = medians([
            &mut || step(&ours, &|state| adam_step(state, gradient.clone(), ADAM, 10)),
            &mut || step(&burns, &|state| burns_own(state, gradient.clone(), 10)),
            &mut || copying.run(),
        ]);
        println!(
            "| adam_step | {count} parameters | – | {:.2} ms | {:.2} | – | {:.1} |",
            kernel * 1e3,
            kernel / burn,
            kernel / copy,
        );
    }
}

fn normal(count: usize) -> Tensor<1> {
    Tensor::random([count], Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn start(count: usize) -> AdamState<1> {
    let weight = normal(count);
    AdamState {
        first_moment: weight.zeros_like(),
        second_moment: weight.zeros_like(),
        average: Some(weight.clone() * 1.0),
        weight,
    }
}

/// The arithmetic of burn's optimiser, and of an average after it.
fn burns_own(state: AdamState<1>, gradient: Tensor<1>, step: i32) -> AdamState<1> {
    let (beta_1, beta_2) = (ADAM.beta_1, ADAM.beta_2);
    let first_moment = state.first_moment * beta_1 + gradient.clone() * (1.0 - beta_1);
    let second_moment = state.second_moment * beta_2 + gradient.square() * (1.0 - beta_2);
    let first = first_moment.clone() / (1.0 - beta_1.powi(step));
    let second = second_moment.clone() / (1.0 - beta_2.powi(step));
    let update = first / (second.sqrt() + ADAM.epsilon) * ADAM.learning_rate;
    let weight = state.weight - update;
    let average = state
        .average
        .map(|average| weight.clone() + (average - weight.clone()) * ADAM.average_rate);
    AdamState {
        weight,
        first_moment,
        second_moment,
        average,
    }
}
