//! The residual block with its self-attention.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, activation::softmax};

use super::{BlockStyle, Convolution, GroupNorm, Linear};
use crate::foreign::edm::plan::{BlockShape, ConvShape};
use crate::init::Initializer;
use crate::layer::silu;

/// Residual block of DDPM++, NCSN++ and ADM.
///
/// ```text
/// h = conv0(SiLU(norm0(x)))                                    with the change of size
/// h = SiLU(norm1(h + affine(e)))                               DDPM++, NCSN++
/// h = SiLU(norm1(h)·(1 + scale) + shift)                       ADM; [scale | shift] = affine(e)
/// y = s·(skip(x) + conv1(dropout(h)))                          s = √½, in ADM 1
/// y = s·(y + proj(softmax(q·kᵀ/√d)·v))                         where it attends
/// ```
///
/// The channels of `qkv` lie head by head, then channel by channel, with `q`, `k`, `v` innermost.
#[derive(Module, Debug)]
pub(in crate::foreign::edm) struct Block {
    norm0: GroupNorm,
    conv0: Convolution,
    affine: Linear,
    norm1: GroupNorm,
    conv1: Convolution,
    skip: Option<Convolution>,
    norm2: Option<GroupNorm>,
    qkv: Option<Convolution>,
    proj: Option<Convolution>,
    dropout: Dropout,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    adaptive_scale: bool,
    #[module(skip)]
    skip_scale: f64,
}

impl Block {
    pub(in crate::foreign::edm) fn new(
        init: &mut Initializer<'_>,
        shape: BlockShape,
        style: &BlockStyle,
    ) -> Self {
        let [i, o] = shape.channels;
        let [most, last, attention] = style.starts;
        let attends = shape.heads > 0;
        let modulation = if style.adaptive_scale { 2 * o } else { o };
        let filter = &style.filter;
        Self {
            norm0: GroupNorm::new(init, i, style.epsilon),
            conv0: Convolution::new(init, shape.first(), filter, most),
            affine: Linear::new(init, [style.embedding, modulation], true, most),
            norm1: GroupNorm::new(init, o, style.epsilon),
            conv1: Convolution::new(init, ConvShape::keeping([o, o], 3), filter, last),
            skip: shape
                .skip(style.resample_proj)
                .map(|skip| Convolution::new(init, skip, filter, most)),
            norm2: attends.then(|| GroupNorm::new(init, o, style.epsilon)),
            qkv: attends.then(|| {
                Convolution::new(init, ConvShape::keeping([o, 3 * o], 1), filter, attention)
            }),
            proj: attends
                .then(|| Convolution::new(init, ConvShape::keeping([o, o], 1), filter, last)),
            dropout: DropoutConfig::new(style.dropout).init(),
            heads: shape.heads,
            adaptive_scale: style.adaptive_scale,
            skip_scale: style.skip_scale,
        }
    }

    /// `[N, in, H, W]` to `[N, out, H', W']`; the embedding is `[N, E]`, or `[1, E]` for all.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let h = self.conv0.forward(silu(self.norm0.forward(x.clone())));
        let told = self.affine.forward(embedding);
        let [rows, width] = told.dims();
        let told = told.reshape([rows, width, 1, 1]);
        let h = if self.adaptive_scale {
            let c = width / 2;
            let (scale, shift) = (told.clone().narrow(1, 0, c), told.narrow(1, c, c));
            self.norm1.forward(h) * (scale + 1.0) + shift
        } else {
            self.norm1.forward(h + told)
        };
        let h = self.conv1.forward(self.dropout.forward(silu(h)));
        let shortcut = match &self.skip {
            Some(skip) => skip.forward(x),
            None => x,
        };
        self.attend(self.scaled(shortcut + h))
    }

    fn scaled(&self, x: Tensor<4>) -> Tensor<4> {
        if self.skip_scale == 1.0 {
            x
        } else {
            x * self.skip_scale
        }
    }

    fn attend(&self, x: Tensor<4>) -> Tensor<4> {
        let (Some(norm), Some(qkv), Some(proj)) = (&self.norm2, &self.qkv, &self.proj) else {
            return x;
        };
        let [n, c, h, w] = x.dims();
        let d = c / self.heads;
        let qkv = qkv
            .forward(norm.forward(x.clone()))
            .reshape([n * self.heads, d, 3, h * w]);
        let part = |which: usize| {
            let part = qkv.clone().narrow(2, which, 1);
            part.reshape([n * self.heads, d, h * w])
        };
        let (q, k, v) = (part(0), part(1), part(2));
        // Maps are channel-major, so scores are qᵀ·k with one row per query.
        let scores = q.transpose().matmul(k * (1.0 / (d as f64).sqrt()));
        let mixed = v.matmul(softmax(scores, 2).transpose());
        self.scaled(x + proj.forward(mixed.reshape([n, c, h, w])))
    }
}
