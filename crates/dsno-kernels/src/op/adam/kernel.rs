//! The kernel of Adam as an operation of burn's CPU backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::AdamState;
use crate::adam::Coefficients;
use crate::cpu::adam::{self, Parameter};
use crate::flex::{Contiguous, OptionalTensor};

pub(super) fn run<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    coefficients: Coefficients,
) -> AdamState<D> {
    let dims = state.weight.dims();
    let others = [&gradient, &state.first_moment, &state.second_moment];
    let shapes_agree = others
        .into_iter()
        .chain(&state.average)
        .all(|part| part.dims() == dims);
    assert!(shapes_agree, "the parts of a parameter have one shape");
    let (weight, first_moment, second_moment, average) = <Dispatch as AdamOps>::kernels_adam(
        state.weight.into_dispatch(),
        gradient.into_dispatch(),
        state.first_moment.into_dispatch(),
        state.second_moment.into_dispatch(),
        OptionalTensor::new(state.average),
        coefficients,
    );
    AdamState {
        weight: Tensor::from_dispatch(weight),
        first_moment: Tensor::from_dispatch(first_moment),
        second_moment: Tensor::from_dispatch(second_moment),
        average: average.map(Tensor::from_dispatch),
    }
}

#[backend_extension(Flex)]
trait AdamOps: Backend {
    /// Weight, moments and average after a step.
    #[allow(
        clippy::type_complexity,
        reason = "structs do not come back through the dispatch"
    )]
    fn kernels_adam(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first_moment: FloatTensor<Self>,
        second_moment: FloatTensor<Self>,
        #[extension_type] average: OptionalTensor<Self>,
        coefficients: Coefficients,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        Option<FloatTensor<Self>>,
    );
}

impl AdamOps for Flex {
    fn kernels_adam(
        weight: FlexTensor,
        gradient: FlexTensor,
        first_moment: FlexTensor,
        second_moment: FlexTensor,
        average: OptionalTensor<Self>,
        coefficients: Coefficients,
    ) -> (FlexTensor, FlexTensor, FlexTensor, Option<FlexTensor>) {
        let [mut weight, mut first, mut second] = [weight, first_moment, second_moment].map(whole);
        let mut average = average.into_option().map(whole);
        let gradient = Contiguous::of(gradient);
        let parameter = Parameter {
            weight: weight.storage_mut(),
            gradient: gradient.slice(),
            first: first.storage_mut(),
            second: second.storage_mut(),
            average: average.as_mut().map(FlexTensor::storage_mut),
        };
        adam::step(coefficients, parameter);
        (weight, first, second, average)
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
