//! What a network predicts, and the only place where `x`, `ε`, `v` and the score are converted.
//!
//! Everything past this module works with the clean prediction `x̂`. The `_with` forms take one
//! noise level per sample, as training needs; the others take one level for the whole batch, as
//! solvers do.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::NoiseLevel;

/// The quantity that a network's output stands for.
///
/// All describe the same split of a noisy state into image and noise,
///
/// ```text
/// z_t   = α x + σ ε           the noisy state
/// v     = α ε − σ x           the velocity on the circle (α, σ)
/// score = −ε/σ                the score of the noisy states, if ε is the optimal prediction
/// ```
///
/// so each gives the clean prediction, whatever the process of the level:
///
/// ```text
/// x̂ = x_hat                            Prediction::X
/// x̂ = (z_t − σ ε̂)/α                    Prediction::Epsilon    divides by α: amplifies errors near t = 1
/// x̂ = (α z_t − σ v̂)/(α² + σ²)          Prediction::V          the divisor is 1 if variance is preserved
/// x̂ = (z_t + σ² score)/α               Prediction::Score
/// ```
///
/// `v` is that of Salimans and Ho 2022 (arXiv:2202.00512), the score that of Song et al. 2021
/// (arXiv:2011.13456). In files the variants are written `"x"`, `"epsilon"`, `"v"` and `"score"`.
///
/// # Shapes
///
/// In every method of this type:
///
/// | value                            | shape          | range and unit                     |
/// |----------------------------------|----------------|------------------------------------|
/// | `output`, `z_t`, `x`, `eps`      | `[B, C, H, W]` | pixel units, `x` in `[-1, 1]`      |
/// | `alpha`, `sigma` (`_with` forms) | `[B, 1, 1, 1]` | amplitudes, one level per sample   |
/// | returned                         | `[B, C, H, W]` | pixel units, not clamped           |
///
/// Tensors whose shapes do not agree are the caller's bug: burn panics and names both shapes.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor, Tolerance};
/// use dsno_ode::{NoiseLevel, Prediction, add_noise};
///
/// let device = Device::flex();
/// let at = NoiseLevel::from_log_snr(-1.0);
/// let x = Tensor::<4>::full([1, 1, 2, 2], 0.5, &device);
/// let eps = Tensor::<4>::full([1, 1, 2, 2], -1.0, &device);
/// let z_t = add_noise(x.clone(), eps.clone(), at);
///
/// use Prediction::{Epsilon, Score, V, X};
/// for prediction in [X, Epsilon, V, Score] {
///     let perfect = prediction.target(x.clone(), eps.clone(), at);
///     let x_hat = prediction.to_x(perfect, z_t.clone(), at);
///     x_hat.into_data().assert_approx_eq::<f32>(&x.to_data(), Tolerance::relative(1e-5));
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The clean image `x`.
    X,
    /// The noise `ε`.
    Epsilon,
    /// The velocity `v = α ε − σ x`.
    V,
    /// The score `−ε/σ`.
    Score,
}

impl Prediction {
    /// Converts a network's output at one noise level to the clean prediction `x̂`.
    ///
    /// With [`Prediction::Epsilon`] and [`Prediction::Score`] the level must have signal: `α = 0` gives
    /// infinite values.
    pub fn to_x(self, output: Tensor<4>, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        match self {
            Self::X => output,
            Self::Epsilon => (z_t - output * at.sigma()) / at.alpha(),
            Self::V => {
                let square = at.scale().powi(2);
                z_t * (at.alpha() / square) - output * (at.sigma() / square)
            }
            Self::Score => (z_t + output * at.sigma().powi(2)) / at.alpha(),
        }
    }

    /// Converts a network's output to `x̂`, with a noise level of its own for every sample.
    pub fn to_x_with(
        self,
        output: Tensor<4>,
        z_t: Tensor<4>,
        alpha: Tensor<4>,
        sigma: Tensor<4>,
    ) -> Tensor<4> {
        match self {
            Self::X => output,
            Self::Epsilon => (z_t - output * sigma) / alpha,
            Self::V => {
                let square = alpha.clone().square() + sigma.clone().square();
                z_t * (alpha / square.clone()) - output * (sigma / square)
            }
            Self::Score => (z_t + output * sigma.square()) / alpha,
        }
    }

    /// Converts a network's output at one noise level to the noise `ε̂` that it implies.
    ///
    /// With [`Prediction::X`] the level must have noise: `σ = 0` gives NaN or infinite values.
    pub fn to_epsilon(self, output: Tensor<4>, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        match self {
            Self::X => (z_t - output * at.alpha()) / at.sigma(),
            Self::Epsilon => output,
            Self::V => {
                let square = at.scale().powi(2);
                z_t * (at.sigma() / square) + output * (at.alpha() / square)
            }
            Self::Score => output * -at.sigma(),
        }
    }

    /// Converts a network's output at one noise level to the velocity `v̂` that it implies.
    ///
    /// With [`Prediction::X`] the level must have noise, with [`Prediction::Epsilon`] and
    /// [`Prediction::Score`] signal: else the result is NaN or infinite.
    pub fn to_v(self, output: Tensor<4>, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let (alpha, sigma, square) = (at.alpha(), at.sigma(), at.scale().powi(2));
        match self {
            Self::X => z_t * (alpha / sigma) - output * (square / sigma),
            Self::Epsilon => output * (square / alpha) - z_t * (sigma / alpha),
            Self::V => output,
            Self::Score => output * (-sigma * square / alpha) - z_t * (sigma / alpha),
        }
    }

    /// Returns the training target, the output of a perfect network, for image `x` and noise `eps` at one level.
    ///
    /// With [`Prediction::Score`] the level must have noise: `σ = 0` gives infinite values.
    pub fn target(self, x: Tensor<4>, eps: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        match self {
            Self::X => x,
            Self::Epsilon => eps,
            Self::V => eps * at.alpha() - x * at.sigma(),
            Self::Score => eps / -at.sigma(),
        }
    }

    /// Returns the training target, with a noise level of its own for every sample.
    pub fn target_with(
        self,
        x: Tensor<4>,
        eps: Tensor<4>,
        alpha: Tensor<4>,
        sigma: Tensor<4>,
    ) -> Tensor<4> {
        match self {
            Self::X => x,
            Self::Epsilon => eps,
            Self::V => eps * alpha - x * sigma,
            Self::Score => eps / -sigma,
        }
    }
}

#[cfg(test)]
mod tests;
