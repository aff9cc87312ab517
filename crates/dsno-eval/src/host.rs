//! Tensors on the host.

use burn::tensor::Tensor;
use thiserror::Error;

/// A tensor holds something else than numbers that fit `f32`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a tensor cannot be read as f32: {found}")]
pub struct NotFloat {
    /// What it holds.
    pub found: String,
}

/// The values of a tensor, row-major.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, NotFloat> {
    tensor
        .into_data()
        .try_into_vec_as()
        .map_err(|error| NotFloat {
            found: error.to_string(),
        })
}
