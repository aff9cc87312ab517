//! What a network predicts, and the only place where `x`, `ε`, `v` and the score are converted.
//!
//! Everything past this module works with the clean prediction `x̂`. The `_with` forms take one
//! noise level per sample, as training needs; the others take one level for the whole batch, as
//! solvers do.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::Amplitudes;

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
/// use dsno_ode::{Amplitudes, Prediction, diffuse};
///
/// let device = Device::flex();
/// let at = Amplitudes::from_log_snr(-1.0);
/// let x = Tensor::<4>::full([1, 1, 2, 2], 0.5, &device);
/// let eps = Tensor::<4>::full([1, 1, 2, 2], -1.0, &device);
/// let z_t = diffuse(x.clone(), eps.clone(), at);
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
    pub fn to_x(self, output: Tensor<4>, z_t: Tensor<4>, at: Amplitudes) -> Tensor<4> {
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
    pub fn to_epsilon(self, output: Tensor<4>, z_t: Tensor<4>, at: Amplitudes) -> Tensor<4> {
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
    pub fn to_v(self, output: Tensor<4>, z_t: Tensor<4>, at: Amplitudes) -> Tensor<4> {
        let (alpha, sigma, square) = (at.alpha(), at.sigma(), at.scale().powi(2));
        match self {
            Self::X => z_t * (alpha / sigma) - output * (square / sigma),
            Self::Epsilon => output * (square / alpha) - z_t * (sigma / alpha),
            Self::V => output,
            Self::Score => output * (-sigma * square / alpha) - z_t * (sigma / alpha),
        }
    }

    /// Returns what a perfect network would answer for image `x` and noise `eps` at one level.
    ///
    /// With [`Prediction::Score`] the level must have noise: `σ = 0` gives infinite values.
    pub fn target(self, x: Tensor<4>, eps: Tensor<4>, at: Amplitudes) -> Tensor<4> {
        match self {
            Self::X => x,
            Self::Epsilon => eps,
            Self::V => eps * at.alpha() - x * at.sigma(),
            Self::Score => eps / -at.sigma(),
        }
    }

    /// Returns what a perfect network would answer, with a noise level of its own for every sample.
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
mod tests {
    use super::*;
    use crate::test_support::{assert_close, column, f64_tensor};
    use crate::{diffuse, diffuse_with};

    const ALL: [Prediction; 4] = [
        Prediction::X,
        Prediction::Epsilon,
        Prediction::V,
        Prediction::Score,
    ];
    /// Levels of both processes.
    const LEVELS: [f64; 3] = [-20.0, 0.3, 20.0];
    /// Division by `α = e⁻¹⁰`, or by `σ = e⁻¹⁰` in going from `x̂` to `ε̂`, turns f64 rounding into
    /// 1e-11.
    const ROUNDING: f64 = 1e-10;

    fn levels() -> impl Iterator<Item = Amplitudes> {
        let exploding = Amplitudes::variance_exploding(1.0);
        let of = move |log_snr| {
            [
                Amplitudes::from_log_snr(log_snr),
                exploding.with_log_snr(log_snr),
            ]
        };
        LEVELS.into_iter().flat_map(of)
    }

    fn image_and_noise() -> (Tensor<4>, Tensor<4>) {
        let x = f64_tensor(&[0.5, -0.25, 0.9, -1.0, 0.1, 0.0], [3, 1, 1, 2]);
        let eps = f64_tensor(&[1.5, -0.75, 0.2, 2.0, -1.1, 0.4], [3, 1, 1, 2]);
        (x, eps)
    }

    #[test]
    fn perfect_outputs_give_back_image_noise_and_velocity() {
        let (x, eps) = image_and_noise();
        for at in levels() {
            let z_t = diffuse(x.clone(), eps.clone(), at);
            for prediction in ALL {
                let output = prediction.target(x.clone(), eps.clone(), at);
                let x_hat = prediction.to_x(output.clone(), z_t.clone(), at);
                let eps_hat = prediction.to_epsilon(output.clone(), z_t.clone(), at);
                let v_hat = prediction.to_v(output, z_t.clone(), at);
                assert_close(&x_hat, &x, ROUNDING);
                assert_close(&eps_hat, &eps, ROUNDING);
                let v = eps.clone() * at.alpha() - x.clone() * at.sigma();
                // ε̂ and σ z_t/α, of the size of α² + σ², all but cancel in v̂.
                let tolerance = ROUNDING.max(2e-15 * at.scale().powi(2));
                assert_close(&v_hat, &v, tolerance);
            }
        }
    }

    #[test]
    fn batched_levels_agree_with_single_ones() {
        let image_and_noise = image_and_noise();
        let twice = |half: &Tensor<4>| Tensor::cat(vec![half.clone(); 2], 0);
        let (x, eps) = (twice(&image_and_noise.0), twice(&image_and_noise.1));
        let levels: [Amplitudes; 6] = std::array::from_fn(|i| levels().nth(i).expect("six"));
        let (alpha, sigma) = (
            column(levels.map(Amplitudes::alpha)),
            column(levels.map(Amplitudes::sigma)),
        );
        let z_t = diffuse_with(x.clone(), eps.clone(), alpha.clone(), sigma.clone());
        for prediction in ALL {
            let output =
                prediction.target_with(x.clone(), eps.clone(), alpha.clone(), sigma.clone());
            let batched =
                prediction.to_x_with(output.clone(), z_t.clone(), alpha.clone(), sigma.clone());
            for (i, at) in levels.into_iter().enumerate() {
                let row = |t: &Tensor<4>| t.clone().narrow(0, i, 1);
                let single = prediction.target(row(&x), row(&eps), at);
                // The scale of a batched level is summed from squares, and σ = e¹⁰ magnifies it.
                let tolerance = 1e-14 * at.scale();
                assert_close(&row(&output), &single, tolerance);
                let x_hat = prediction.to_x(single, row(&z_t), at);
                assert_close(&row(&batched), &x_hat, ROUNDING);
            }
        }
    }

    #[test]
    fn both_processes_answer_alike_for_a_state_in_their_units() {
        let (x, eps) = image_and_noise();
        let preserving = Amplitudes::from_log_snr(-1.7);
        let exploding = Amplitudes::variance_exploding(1.0).with_log_snr(-1.7);
        let z_t = diffuse(x.clone(), eps.clone(), preserving);
        // A wrong answer, so that the paths differ unless the split is the same.
        for prediction in [Prediction::X, Prediction::Epsilon] {
            let x_hat = prediction.to_x(eps.clone() * 0.7, z_t.clone(), preserving);
            let same = prediction.to_x(
                eps.clone() * 0.7,
                z_t.clone() * exploding.scale(),
                exploding,
            );
            assert_close(&same, &x_hat, 1e-14);
        }
        let score = Prediction::Score;
        let x_hat = score.to_x(eps.clone(), z_t.clone(), preserving);
        // The score is per unit of state, so it shrinks as the state grows.
        let scaled = eps / exploding.scale();
        assert_close(
            &score.to_x(scaled, z_t * exploding.scale(), exploding),
            &x_hat,
            1e-14,
        );
    }

    #[test]
    fn names_in_files_are_kebab_case() {
        for (prediction, name) in
            ALL.into_iter()
                .zip(["\"x\"", "\"epsilon\"", "\"v\"", "\"score\""])
        {
            assert_eq!(
                serde_json::to_string(&prediction).expect("serialises"),
                name
            );
        }
        assert!(serde_json::from_str::<Prediction>("\"eps\"").is_err());
    }
}
