//! The residual block, with its changes of resolution.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;
use dsno_kernels::{group_norm_silu, resample};

use super::conv1x1::Conv1x1;
use super::convolution::Convolution;
use super::dense::Dense;
use super::norm::Norm;
use crate::init::{Initializer, NEAR_ZERO};
use crate::plan::Resample;

/// BigGAN-style residual block.
///
/// ```text
/// h = conv₀(resample(SiLU(norm₀(x))))
/// h = conv₁(dropout(SiLU(norm₁(h)·(1 + scale) + shift)))    [scale | shift] = Dense(SiLU(e))
/// y = h + shortcut(resample(x))                             1×1 where channels change
/// ```
#[derive(Module, Debug)]
pub(crate) struct Residual {
    norm_0: Norm,
    conv_0: Convolution,
    modulation: Dense,
    norm_1: Norm,
    conv_1: Convolution,
    shortcut: Option<Conv1x1>,
    dropout: Dropout,
    #[module(skip)]
    resample: Resample,
}

impl Residual {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        [channels_in, channels_out]: [usize; 2],
        groups: [usize; 2],
        embedding: usize,
        dropout: f64,
        resample: Resample,
    ) -> Self {
        Self {
            norm_0: Norm::new(init, channels_in, groups[0]),
            conv_0: Convolution::new(init, channels_in, channels_out, 1.0),
            modulation: Dense::new(init, embedding, 2 * channels_out),
            norm_1: Norm::new(init, channels_out, groups[1]),
            conv_1: Convolution::new(init, channels_out, channels_out, NEAR_ZERO),
            shortcut: (channels_in != channels_out)
                .then(|| Conv1x1::new(init, channels_in, channels_out, 0.1)),
            dropout: DropoutConfig::new(dropout).init(),
            resample,
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`; `embedding` is `SiLU(e)` in `[N, E]`, or `[T, E]` with
    /// `T` a divisor of `N` where all samples share it.
    pub(crate) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let change = self.resample.into();
        let norm = self.norm_0.with(None);
        let h = self.conv_0.forward_activated(x.clone(), norm, change, None);
        let x = resample(x, change);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, None),
            None => x,
        };
        let norm = self.norm_1.with(Some(self.modulation.forward(embedding)));
        // Dropout acts on graphs alone.
        if self.dropout.prob == 0.0 || !h.device().is_autodiff() {
            let keep = dsno_kernels::Resample::Keep;
            return self.conv_1.forward_activated(h, norm, keep, Some(x));
        }
        let h = self.dropout.forward(group_norm_silu(h, norm));
        self.conv_1.forward(h, Some(x))
    }
}

#[cfg(test)]
mod tests;
