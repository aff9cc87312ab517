//! The residual block, with its changes of resolution.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;

use super::convolution::Convolution;
use super::dense::Dense;
use super::norm::{Modulation, Norm};
use super::pointwise::Pointwise;
use super::silu;
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
    shortcut: Option<Pointwise>,
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
                .then(|| Pointwise::new(init, channels_in, channels_out, 0.1)),
            dropout: DropoutConfig::new(dropout).init(),
            resample,
        }
    }

    /// `[N, in, H, W]` to `[N, out, H', W']`; `embedding` is `SiLU(e)` in `[N, E]`, or `[T, E]` with
    /// `T` a divisor of `N` where all samples share it.
    pub(crate) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let rows = x.dims()[0];
        let h = self.resample.apply(silu(self.norm_0.forward(x.clone())));
        let h = self.conv_0.forward(h);
        let modulation = split(self.modulation.forward(embedding), rows);
        let h = silu(self.norm_1.forward_modulated(h, modulation));
        let h = self.conv_1.forward(self.dropout.forward(h));
        let x = self.resample.apply(x);
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(x) + h,
            None => x + h,
        }
    }
}

/// `[R, 2C]` to scale and shift of `[N, C]` each, the `R` rows repeated as often as needed.
fn split(both: Tensor<2>, rows: usize) -> Modulation {
    let [given, width] = both.dims();
    let both = if given == rows {
        both
    } else {
        both.reshape([1, given, width])
            .expand([rows / given, given, width])
            .reshape([rows, width])
    };
    let c = width / 2;
    Modulation {
        scale: both.clone().slice([0..rows, 0..c]),
        shift: both.slice([0..rows, c..width]),
    }
}

#[cfg(test)]
mod tests;
