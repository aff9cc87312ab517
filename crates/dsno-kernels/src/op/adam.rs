//! Adam with an exponential moving average of the weights as one operation.

use burn::tensor::Tensor;

use crate::adam::{Adam, Coefficients};

#[cfg(feature = "flex")]
mod kernel;

/// A parameter and its optimiser state; all of one shape, not tracked by autodiff.
#[derive(Debug, Clone)]
pub struct AdamState<const D: usize> {
    /// The weight.
    pub weight: Tensor<D>,
    /// Exponential moving average of gradients, zero before the first step.
    pub first_moment: Tensor<D>,
    /// Exponential moving average of squared gradients, zero before the first step.
    pub second_moment: Tensor<D>,
    /// Exponential moving average of the weight, which starts at the weight, if one is kept.
    pub average: Option<Tensor<D>>,
}

/// Applies step `step`, counted from 1, of [`Adam`].
///
/// On the CPU it is one pass over memory, in place where the tensors are not shared.
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
