//! The residual block with its self-attention.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;
use dsno_kernels::{group_norm, group_norm_silu};

use super::{BlockStyle, Convolution, GroupNorm, Linear};
use crate::foreign::edm::plan::{BlockShape, ConvShape};
use crate::foreign::map::{self, Order};
use crate::init::Initializer;

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

    /// `[N, H, W, in]` to `[N, H', W', out]`; the embedding is `[N, E]`, or `[1, E]` for all.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let norm = self.norm0.with(None);
        let h = self.conv0.forward_activated(x.clone(), norm, None);
        let told = self.affine.forward(embedding);
        let (h, norm) = if self.adaptive_scale {
            (h, self.norm1.with(Some(told)))
        } else {
            let [rows, width] = told.dims();
            (h + told.reshape([rows, 1, 1, width]), self.norm1.with(None))
        };
        let shortcut = match &self.skip {
            Some(skip) => skip.forward(x),
            None => x,
        };
        let sum = if map::drops(&self.dropout, &h) {
            let h = self.dropout.forward(group_norm_silu(h, norm));
            self.conv1.convolve(h, Some(shortcut))
        } else {
            self.conv1.forward_activated(h, norm, Some(shortcut))
        };
        self.attend(self.scaled(sum))
    }

    fn scaled(&self, x: Tensor<4>) -> Tensor<4> {
        if self.skip_scale == 1.0 {
            x
        } else {
            x * self.skip_scale
        }
    }

    fn attend(&self, x: Tensor<4>) -> Tensor<4> {
        let qkv = self.qkv.as_ref().and_then(Convolution::parts);
        let (Some(norm), Some(qkv), Some(proj)) = (&self.norm2, qkv, &self.proj) else {
            return x;
        };
        let normalised = group_norm(x.clone(), norm.with(None));
        let mixed = map::attend(normalised, qkv, self.heads, Order::PartsLast);
        self.scaled(proj.convolve(mixed, Some(x)))
    }
}
