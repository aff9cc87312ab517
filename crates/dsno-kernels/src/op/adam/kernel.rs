//! The kernel of Adam as an operation of burn's CPU backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::AdamState;
use crate::adam::Coefficients;
use crate::cpu::adam::{self, Parameter};
use crate::flex::{Contiguous, operation::Inputs};

pub(super) fn run<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    coefficients: Coefficients,
) -> AdamState<D> {
    let average = state.average;
    let parts = [state.weight, state.first_moment, state.second_moment];
    let dims = gradient.dims();
    let shapes_agree = parts.iter().chain(&average).all(|part| part.dims() == dims);
    assert!(shapes_agree, "the parts of a parameter have one shape");
    let parts = parts.into_iter().chain(average);
    let parts = Inputs::<Dispatch>(parts.map(|part| Some(part.into_dispatch())).collect());
    let gradient = gradient.into_dispatch();
    let mut parts = <Dispatch as AdamOps>::kernels_adam(gradient, parts, coefficients)
        .into_iter()
        .map(Tensor::from_dispatch);
    let mut next = || parts.next().expect("each part comes back");
    AdamState {
        weight: next(),
        first_moment: next(),
        second_moment: next(),
        average: parts.next(),
    }
}

#[backend_extension(Flex)]
trait AdamOps: Backend {
    /// Weight, moments and, if there is one, average after a step.
    fn kernels_adam(
        gradient: FloatTensor<Self>,
        #[extension_type] parts: Inputs<Self>,
        coefficients: Coefficients,
    ) -> Vec<FloatTensor<Self>>;
}

impl AdamOps for Flex {
    fn kernels_adam(
        gradient: FlexTensor,
        parts: Inputs<Self>,
        coefficients: Coefficients,
    ) -> Vec<FlexTensor> {
        let gradient = Contiguous::of(gradient);
        let mut parts: Vec<_> = parts.0.into_iter().flatten().map(whole).collect();
        if let [weight, first, second, average @ ..] = &mut parts[..] {
            let parameter = Parameter {
                weight: weight.storage_mut(),
                gradient: gradient.slice(),
                first: first.storage_mut(),
                second: second.storage_mut(),
                average: average.first_mut().map(FlexTensor::storage_mut),
            };
            adam::step(coefficients, parameter);
        }
        parts
    }
}

/// The tensor as the whole of its storage in row-major order; copied only if it is not.
///
/// `storage_mut` then gives exactly its values, copying them first where the storage is shared.
fn whole(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let is_whole = layout.is_contiguous()
        && layout.start_offset() == 0
        && layout.num_elements() * size_of::<f32>() == tensor.bytes().len();
    if is_whole {
        tensor
    } else {
        tensor.to_contiguous()
    }
}
