//! Adam and the average of weights as an operation.

use burn::tensor::Tensor;

use crate::adam::{Adam, Coefficients};

#[cfg(feature = "flex")]
mod kernel;

/// A parameter with what its updates leave behind; all of one shape, off every graph.
#[derive(Debug, Clone)]
pub struct AdamState<const D: usize> {
    /// The weight.
    pub weight: Tensor<D>,
    /// Running mean of gradients, zero before the first step.
    pub first_moment: Tensor<D>,
    /// Running mean of their squares, zero before the first step.
    pub second_moment: Tensor<D>,
    /// Running mean of the weight, which starts at the weight, if one is kept.
    pub average: Option<Tensor<D>>,
}

/// Step `step`, counted from 1, of [`Adam`].
///
/// On the CPU it is one pass over memory, in place where nobody else holds the tensors.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_kernels::{Adam, AdamState, adam_step};
///
/// let device = Device::flex();
/// let weight = Tensor::<1>::from_floats([1.0, 1.0], &device);
/// let state = AdamState {
///     first_moment: weight.zeros_like(),
///     second_moment: weight.zeros_like(),
///     average: Some(weight.clone()),
///     weight,
/// };
/// let adam = Adam { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, average_rate: 0.5 };
/// let state = adam_step(state, Tensor::from_floats([3.0, 0.0], &device), adam, 1);
/// // The first step is as long as the learning rate wherever there is a gradient.
/// assert_eq!(state.weight.to_data().to_vec::<f32>().unwrap(), [0.9, 1.0]);
/// assert_eq!(state.average.unwrap().to_data().to_vec::<f32>().unwrap(), [0.95, 1.0]);
/// ```
///
/// # Panics
///
/// If shapes differ.
pub fn adam_step<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    adam: Adam,
    step: u64,
) -> AdamState<D> {
    let coefficients = adam.coefficients(step);
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&state.weight) {
        return kernel::run(state, gradient, coefficients);
    }
    composed(state, gradient, coefficients)
}

fn composed<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    c: Coefficients,
) -> AdamState<D> {
    let first_moment = state.first_moment * c.beta_1 + gradient.clone() * c.one_minus_beta_1;
    let second_moment = state.second_moment * c.beta_2 + gradient.square() * c.one_minus_beta_2;
    let scale = second_moment.clone().sqrt() + c.epsilon;
    let weight = state.weight - first_moment.clone() * c.rate / scale;
    let average = state
        .average
        .map(|average| weight.clone() + (average - weight.clone()) * c.average_rate);
    AdamState {
        weight,
        first_moment,
        second_moment,
        average,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
