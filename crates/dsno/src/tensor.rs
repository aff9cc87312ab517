//! Values that leave the device.

use burn::tensor::Tensor;

use crate::failure::Failure;

/// The values of a batch on the host.
pub(crate) fn host<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>, Failure> {
    tensor
        .to_data()
        .try_into_vec_as::<f32>()
        .map_err(|error| Failure::run(format!("cannot read values from the device: {error:?}")))
}
