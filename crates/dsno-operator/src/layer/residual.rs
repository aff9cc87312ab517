//! The residual block, with its changes of resolution.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;
use dsno_kernels::{Resample, group_norm_silu};

use super::{Conv1x1, Conv3x3, Filter, Linear, Norm, scaled};
use crate::init::{Initializer, NEAR_ZERO};
use crate::plan::{Plan, ResidualShape};

/// BigGAN-style residual block, conditioned on the embedding `e`.
///
/// ```text
/// h = conv₀(resample(SiLU(norm₀(x))))
/// h = norm₁(h)·(1 + scale) + shift          [scale | shift] = Linear(SiLU(e))   or, without scale_shift:
/// h = norm₁(h + t)                          t = Linear(SiLU(e))
/// y = s·(conv₁(dropout(SiLU(h))) + shortcut(resample(x)))
/// ```
#[derive(Module, Debug)]
pub(crate) struct Residual {
    norm_0: Norm,
    conv_0: Conv3x3,
    modulation: Linear,
    norm_1: Norm,
    conv_1: Conv3x3,
    shortcut: Option<Conv1x1>,
    dropout: Dropout,
    #[module(skip)]
    scale_shift: bool,
    #[module(skip)]
    resample: Resample,
    #[module(skip)]
    filter: Filter,
    #[module(skip)]
    scale: f64,
}

impl Residual {
    pub(crate) fn new(init: &mut Initializer<'_>, shape: ResidualShape, plan: &Plan) -> Self {
        let [i, o] = shape.channels;
        let width = if plan.scale_shift { 2 * o } else { o };
        Self {
            norm_0: Norm::new(init, i, shape.groups[0], plan.epsilon),
            conv_0: Conv3x3::new(init, [i, o], 1.0),
            modulation: Linear::new(init, plan.embedding.channels, width),
            norm_1: Norm::new(init, o, shape.groups[1], plan.epsilon),
            conv_1: Conv3x3::new(init, [o, o], NEAR_ZERO),
            shortcut: shape.shortcut.then(|| Conv1x1::new(init, [i, o], 0.1)),
            dropout: DropoutConfig::new(plan.dropout).init(),
            scale_shift: plan.scale_shift,
            resample: shape.resample,
            filter: Filter::new(&plan.filter),
            scale: shape.scale,
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`; `embedding` is `SiLU(e)` in `[N, E]`, or `[T, E]` with
    /// `T` a divisor of `N` where all samples share it.
    pub(crate) fn forward(&self, x: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let norm = self.norm_0.with(None);
        let h = if let Some(resample) = self.filter.plain(self.resample) {
            self.conv_0
                .forward_activated(x.clone(), norm, resample, None)
        } else {
            let h = group_norm_silu(x.clone(), norm);
            self.conv_0
                .forward(self.filter.apply(h, self.resample), None)
        };
        let x = self.filter.apply(x, self.resample);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, None),
            None => x,
        };
        let modulation = self.modulation.forward(embedding);
        let (h, norm) = if self.scale_shift {
            (h, self.norm_1.with(Some(modulation)))
        } else {
            (added(h, modulation), self.norm_1.with(None))
        };
        // Dropout acts on graphs alone.
        let y = if self.dropout.prob == 0.0 || !h.device().is_autodiff() {
            self.conv_1
                .forward_activated(h, norm, Resample::Keep, Some(x))
        } else {
            let h = self.dropout.forward(group_norm_silu(h, norm));
            self.conv_1.forward(h, Some(x))
        };
        scaled(y, self.scale)
    }
}

/// Adds rows `[N, C]`, or `[T, C]` for rows `n = b·T + t`, to maps `[N, H, W, C]`.
fn added(maps: Tensor<4>, rows: Tensor<2>) -> Tensor<4> {
    let ([n, h, w, c], [t, _]) = (maps.dims(), rows.dims());
    if t == 1 || t == n {
        return maps + rows.reshape([t, 1, 1, c]);
    }
    let sum = maps.reshape([n / t, t, h * w, c]) + rows.reshape([1, t, 1, c]);
    sum.reshape([n, h, w, c])
}

#[cfg(test)]
mod tests;
