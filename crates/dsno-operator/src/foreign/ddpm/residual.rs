//! The residual block, and changes of resolution between blocks.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;
use dsno_kernels::{group_norm_silu, resample};

use super::blueprint::Normalisation;
use super::layer::{Conv, GroupNorm, Linear, divided};
use crate::foreign::map;
use crate::init::Initializer;
use crate::plan::Resample;

/// Residual block, told the noise level by its embedding `e`.
///
/// ```text
/// h = conv₀(resample(SiLU(norm₀(x))))
/// h = norm₁(h + t)                       t = Linear(SiLU(e))               or, scale_shift:
/// h = norm₁(h)·(1 + scale) + shift       [scale | shift] = Linear(SiLU(e))
/// y = (conv₁(dropout(SiLU(h))) + shortcut(resample(x)))/factor             1×1 where channels change
/// ```
#[derive(Module, Debug)]
pub(super) struct Residual {
    norm_0: GroupNorm,
    conv_0: Conv,
    time: Linear,
    norm_1: GroupNorm,
    conv_1: Conv,
    shortcut: Option<Conv>,
    dropout: Dropout,
    #[module(skip)]
    scale_shift: bool,
    #[module(skip)]
    resample: Resample,
    #[module(skip)]
    factor: f64,
}

/// What all residual blocks of a network have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResidualRules {
    pub(super) normalisation: Normalisation,
    pub(super) embedding: usize,
    pub(super) scale_shift: bool,
    pub(super) dropout: f64,
}

impl Residual {
    pub(super) fn new(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        rules: ResidualRules,
        resample: Resample,
        factor: f64,
    ) -> Self {
        let norm = rules.normalisation;
        let width = if rules.scale_shift {
            2 * channels_out
        } else {
            channels_out
        };
        Self {
            norm_0: GroupNorm::new(init, channels_in, norm.groups, norm.epsilon),
            conv_0: Conv::new(init, [channels_in, channels_out], 3),
            time: Linear::new(init, rules.embedding, width),
            norm_1: GroupNorm::new(init, channels_out, norm.groups, norm.epsilon),
            conv_1: Conv::new(init, [channels_out, channels_out], 3),
            shortcut: (channels_in != channels_out)
                .then(|| Conv::new(init, [channels_in, channels_out], 1)),
            dropout: DropoutConfig::new(rules.dropout).init(),
            scale_shift: rules.scale_shift,
            resample,
            factor,
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`, told `SiLU(e)` as `[N, E]` or `[1, E]`.
    pub(super) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let change = self.resample.into();
        let norm = self.norm_0.with(None);
        let h = self.conv_0.forward_activated(x.clone(), norm, change, None);
        let time = self.time.forward(embedding);
        let (h, norm) = if self.scale_shift {
            (h, self.norm_1.with(Some(time)))
        } else {
            let [rows, width] = time.dims();
            (
                h + time.reshape([rows, 1, 1, width]),
                self.norm_1.with(None),
            )
        };
        let x = resample(x, change);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        let sum = if map::drops(&self.dropout, &h) {
            let h = self.dropout.forward(group_norm_silu(h, norm));
            self.conv_1.forward_onto(x, h)
        } else {
            let keep = dsno_kernels::Resample::Keep;
            self.conv_1.forward_activated(h, norm, keep, Some(x))
        };
        divided(sum, self.factor)
    }
}

/// A change of resolution between blocks, with or without a convolution.
#[derive(Module, Debug)]
pub(super) struct Resampler {
    conv: Option<Conv>,
    /// What the convolution itself does not do.
    #[module(skip)]
    resample: Resample,
}

impl Resampler {
    /// Halves the size: a convolution with stride 2 and the given padding, or averages of 2×2.
    pub(super) fn halving(
        init: &mut Initializer<'_>,
        channels: usize,
        padding: Option<(usize, usize)>,
    ) -> Self {
        let conv = padding.map(|zeros| Conv::halving(init, channels, zeros));
        let resample = if conv.is_some() {
            Resample::Keep
        } else {
            Resample::Halve
        };
        Self { conv, resample }
    }

    /// Doubles the size by repetition, followed by a convolution or not.
    pub(super) fn doubling(init: &mut Initializer<'_>, channels: usize, conv: bool) -> Self {
        Self {
            conv: conv.then(|| Conv::new(init, [channels, channels], 3)),
            resample: Resample::Double,
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = resample(x, self.resample.into());
        match &self.conv {
            Some(conv) => conv.forward(x),
            None => x,
        }
    }
}
