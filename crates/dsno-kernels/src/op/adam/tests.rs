use burn::backend::DispatchTensorKind;
use burn::tensor::{Device, Tolerance};

use super::*;
use crate::cpu::testing::noise;

const ADAM: Adam = Adam {
    learning_rate: 1e-2,
    beta_1: 0.9,
    beta_2: 0.99,
    epsilon: 1e-8,
    average_rate: 0.9,
};

fn tensor(seed: u64, dims: [usize; 2]) -> Tensor<2> {
    Tensor::<1>::from_floats(&noise(seed, dims[0] * dims[1])[..], &Device::flex()).reshape(dims)
}

fn start(average: bool) -> AdamState<2> {
    let weight = tensor(1, [7, 11]);
    AdamState {
        first_moment: weight.zeros_like(),
        second_moment: weight.zeros_like(),
        average: average.then(|| weight.clone()),
        weight,
    }
}

fn parts(state: AdamState<2>) -> Vec<Tensor<2>> {
    let parts = [state.weight, state.first_moment, state.second_moment];
    parts.into_iter().chain(state.average).collect()
}

#[test]
fn the_kernel_and_the_composition_are_one_rule() {
    for average in [true, false] {
        let (mut kernel, mut operations) = (start(average), start(average));
        for step in 1..=10 {
            // A gradient that is not laid out in the order of its axes.
            let gradient = || tensor(10 + step, [11, 7]).transpose();
            kernel = adam_step(kernel, gradient(), ADAM, step);
            operations = composed(operations, gradient(), ADAM.coefficients(step));
        }
        let (kernel, operations) = (parts(kernel), parts(operations));
        assert_eq!(kernel.len(), operations.len());
        for (kernel, operations) in kernel.into_iter().zip(operations) {
            let tolerance = Tolerance::relative(1e-5).set_absolute(1e-7);
            kernel
                .into_data()
                .assert_approx_eq::<f32>(&operations.into_data(), tolerance);
        }
    }
}

#[test]
fn tensors_that_others_hold_are_left_as_they_are() {
    let state = start(true);
    let held = state.clone();
    let moved = adam_step(state, tensor(2, [7, 11]), ADAM, 1);
    assert_ne!(moved.weight.to_data(), held.weight.to_data());
    for (held, start) in parts(held).into_iter().zip(parts(start(true))) {
        assert_eq!(held.into_data(), start.into_data());
    }
}

#[test]
fn tensors_that_nobody_else_holds_are_updated_where_they_are() {
    let address = |tensor: &Tensor<2>| {
        let DispatchTensorKind::Flex(tensor) = tensor.clone().into_dispatch().kind else {
            panic!("a tensor of another backend");
        };
        tensor.as_float().bytes().as_ptr()
    };
    // The average starts as the weight itself; afterwards all four are apart.
    let state = adam_step(start(true), tensor(2, [7, 11]), ADAM, 1);
    let before: Vec<_> = parts(state.clone()).iter().map(address).collect();
    let state = adam_step(state, tensor(3, [7, 11]), ADAM, 2);
    let after: Vec<_> = parts(state).iter().map(address).collect();
    assert_eq!(before, after);
}

#[test]
fn a_part_of_a_larger_tensor_is_updated_apart_from_it() {
    let larger = tensor(3, [9, 11]);
    let state = AdamState {
        weight: larger.clone().slice([1..8, 0..11]),
        ..start(true)
    };
    let copied = AdamState {
        weight: Tensor::from_data(state.weight.to_data(), &Device::flex()),
        ..start(true)
    };
    drop(larger);
    let gradient = tensor(2, [7, 11]);
    let found = adam_step(state, gradient.clone(), ADAM, 1)
        .weight
        .into_data();
    assert_eq!(
        found,
        adam_step(copied, gradient, ADAM, 1).weight.into_data()
    );
}
