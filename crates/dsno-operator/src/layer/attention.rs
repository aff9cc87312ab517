//! Self-attention between the pixels of one map.

use burn::module::Module;
use burn::tensor::{Tensor, activation::softmax};

use super::norm::Norm;
use super::pointwise::Pointwise;
use crate::init::{Initializer, NEAR_ZERO};

/// `y = x + project(softmax(q·kᵀ/√d)·v)`, with `q`, `k`, `v` one projection of the normalised map.
///
/// The projected channels lie head by head, `[q | k | v]` within a head.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    norm: Norm,
    qkv: Pointwise,
    projection: Pointwise,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels: usize,
        heads: usize,
        groups: usize,
    ) -> Self {
        Self {
            norm: Norm::new(init, channels, groups),
            qkv: Pointwise::new(init, channels, 3 * channels, 0.1),
            projection: Pointwise::new(init, channels, channels, NEAR_ZERO),
            heads,
        }
    }

    /// `[N, C, H, W]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        let d = c / self.heads;
        let qkv = self.qkv.forward(self.norm.forward(x.clone()));
        let mut parts = qkv
            .reshape([n, self.heads, 3 * d, h * w])
            .split(d, 2)
            .into_iter();
        let mut next = || parts.next().expect("invariant: three parts of d channels");
        let (q, k, v) = (next(), next(), next());
        // Maps are channel-major, so scores are kᵀ·q with one column per query.
        let scores = k.transpose().matmul(q * (1.0 / (d as f64).sqrt()));
        let mixed = v.matmul(softmax(scores, 2)).reshape([n, c, h, w]);
        x + self.projection.forward(mixed)
    }
}
