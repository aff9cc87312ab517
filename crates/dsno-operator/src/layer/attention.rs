//! Self-attention between the pixels of one map.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::{attention, group_norm};

use super::conv1x1::Conv1x1;
use super::norm::Norm;
use super::scaled;
use crate::init::{Initializer, NEAR_ZERO};

/// `y = s·(x + project(softmax(q·kᵀ/√d)·v))`, with `q`, `k`, `v` one projection of the normalised map.
///
/// The projected channels lie head by head, `[q | k | v]` within a head.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    norm: Option<Norm>,
    qkv: Conv1x1,
    projection: Conv1x1,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    scale: f64,
}

impl Attention {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        heads: usize,
        norm: Option<Norm>,
        scale: f64,
    ) -> Self {
        Self {
            norm,
            qkv: Conv1x1::new(init, [channels, 3 * channels], 0.1),
            projection: Conv1x1::new(init, [channels, channels], NEAR_ZERO),
            heads,
            scale,
        }
    }

    /// `[N, H, W, C]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, h, w, c] = x.dims();
        let normalised = match &self.norm {
            Some(norm) => group_norm(x.clone(), norm.with(None)),
            None => x.clone(),
        };
        let qkv = self.qkv.forward(normalised, None);
        let mixed = attention(qkv.reshape([n, h * w, 3 * c]), self.heads);
        let mixed = mixed.reshape([n, h, w, c]);
        scaled(self.projection.forward(mixed, Some(x)), self.scale)
    }
}
