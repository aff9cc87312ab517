//! The layer that reads an image off feature maps.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::Resample;

use super::conv3x3::Conv3x3;
use super::norm::Norm;

/// `y = conv(SiLU(norm(x)))`
#[derive(Module, Debug)]
pub(crate) struct Head {
    pub(crate) norm: Norm,
    pub(crate) conv: Conv3x3,
}

impl Head {
    /// `[N, H, W, C]` to `[N, H, W, out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let norm = self.norm.with(None);
        self.conv.forward_activated(x, norm, Resample::Keep, None)
    }
}
