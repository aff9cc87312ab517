//! Group normalisation with an optional scale and shift per row of the batch.

use burn::tensor::{Tensor, activation};

#[cfg(feature = "flex")]
mod kernel;

#[cfg(feature = "flex")]
pub(super) use kernel::{NormConfig, NormParameters};

/// Parameters of a group normalisation with optional scale-shift (Wu & He 2018, arXiv:1803.08494v3).
///
/// ```text
/// h = γ_c (x − mean_g) / √(variance_g + ε) + β_c          over the pixels and channels of a group
/// y = h · (1 + scale) + shift                             if there is a modulation
/// ```
#[derive(Debug, Clone)]
pub struct GroupNorm {
    /// Gain of each channel, `[C]`.
    pub gamma: Tensor<1>,
    /// Offset of each channel, `[C]`.
    pub beta: Tensor<1>,
    /// Groups of neighbouring channels; divides `C`.
    pub groups: usize,
    /// Added to every variance.
    pub epsilon: f64,
    /// Scale-shift conditioning (adaptive group norm), `[R, 2C]`, rows of `[scale | shift]`; map `n` takes row `n mod R`, so `R` divides `N`.
    pub modulation: Option<Tensor<2>>,
}

/// Normalises maps `[N, H, W, C]`, see [`GroupNorm`].
///
/// # Panics
///
/// If shapes do not fit, as burn's operations do.
pub fn group_norm(x: Tensor<4>, norm: GroupNorm) -> Tensor<4> {
    norm.check(&x);
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        return kernel::run(x, norm, false);
    }
    compose(x, norm)
}

/// Normalises maps `[N, H, W, C]` and applies SiLU, in one pass on the CPU.
///
/// # Panics
///
/// If shapes do not fit, as burn's operations do.
pub fn group_norm_silu(x: Tensor<4>, norm: GroupNorm) -> Tensor<4> {
    norm.check(&x);
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&x) {
        return kernel::run(x, norm, true);
    }
    activation::silu(compose(x, norm))
}

impl GroupNorm {
    pub(super) fn check(&self, x: &Tensor<4>) {
        let [n, _, _, c] = x.dims();
        assert_eq!(
            [self.gamma.dims(), self.beta.dims()],
            [[c], [c]],
            "one gain and offset a channel"
        );
        assert!(
            c.is_multiple_of(self.groups),
            "{c} channels in {} groups",
            self.groups
        );
        if let Some(modulation) = &self.modulation {
            let [rows, width] = modulation.dims();
            assert_eq!(width, 2 * c, "a scale and a shift a channel");
            assert!(
                rows > 0 && n.is_multiple_of(rows),
                "{n} maps for {rows} rows of modulation"
            );
        }
    }
}

fn compose(x: Tensor<4>, norm: GroupNorm) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let g = norm.groups;
    let grouped = x.reshape([n, h * w, g, c / g]);
    let centred = grouped.clone() - grouped.mean_dims(&[1, 3]);
    let variance = centred.clone().square().mean_dims(&[1, 3]);
    let inverse = (variance + norm.epsilon).sqrt().recip();
    let inverse = inverse.expand([n, 1, g, c / g]).reshape([n, c]);
    let (gain, offset) = match norm.modulation {
        None => (
            inverse * norm.gamma.unsqueeze(),
            norm.beta.reshape([1, c]).expand([n, c]),
        ),
        Some(modulation) => {
            let [rows, _] = modulation.dims();
            let both = modulation
                .reshape([1, rows, 2 * c])
                .expand([n / rows, rows, 2 * c])
                .reshape([n, 2 * c]);
            let factor = both.clone().narrow(1, 0, c) + 1.0;
            let gain = inverse * norm.gamma.unsqueeze() * factor.clone();
            (gain, factor * norm.beta.unsqueeze() + both.narrow(1, c, c))
        }
    };
    centred.reshape([n, h, w, c]) * gain.reshape([n, 1, 1, c]) + offset.reshape([n, 1, 1, c])
}
