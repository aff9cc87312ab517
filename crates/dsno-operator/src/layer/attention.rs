//! Self-attention between the pixels of one map.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::{attention, group_norm};

use super::{Conv1x1, Norm, scaled};
use crate::init::{Initializer, NEAR_ZERO};
use crate::plan::AttentionShape;

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
    pub(crate) fn new(init: &mut Initializer<'_>, shape: AttentionShape, epsilon: f64) -> Self {
        let c = shape.channels;
        let norm = shape.groups;
        Self {
            norm: norm.map(|groups| Norm::new(init, c, groups, epsilon)),
            qkv: Conv1x1::new(init, [c, 3 * c], 0.1),
            projection: Conv1x1::new(init, [c, c], NEAR_ZERO),
            heads: shape.heads,
            scale: shape.scale,
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
