//! How a teacher is trained.

use dsno_ode::{NoiseLevel, Prediction};
use serde::{Deserialize, Serialize};

use super::training::beside_training;
use super::{RecipeError, TrainingRecipe, range};

/// Training of a teacher on images, in continuous time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeacherRecipe {
    /// What the network's output means.
    pub prediction: Prediction,
    /// Which noise levels count how much.
    pub weighting: Weighting,
    /// Length, steps and average; an example is an image.
    #[serde(flatten)]
    pub training: TrainingRecipe,
}

beside_training!(TeacherRecipe {
    prediction: Prediction,
    weighting: Weighting
});

/// Weight of a noise level in a teacher's loss, written for the clean image's squared error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Weighting {
    /// Plain mean squared error of what the network predicts: `SNR + 1` for `v`, `SNR` for `ε`.
    Native {},
    /// `max(SNR, 1)` (Salimans & Ho 2022, arXiv:2202.00512, section 4).
    TruncatedSnr {},
    /// `min(SNR, γ)` (Hang et al. 2023, arXiv:2303.09556).
    MinSnr {
        /// Upper bound, positive; 5 in the paper.
        gamma: f64,
    },
}

impl Weighting {
    /// The factor on the squared error of the network's own output at a noise level.
    ///
    /// An error of `v` is an error of `x` divided by `σ`, one of `ε` divided by `σ/α`, one of the score
    /// divided by `σ²/α`.
    pub fn of(self, prediction: Prediction, at: NoiseLevel) -> f64 {
        let snr = at.log_snr().exp();
        let (alpha, sigma) = (at.alpha(), at.sigma());
        let for_x = match self {
            Self::Native {} => return 1.0,
            Self::TruncatedSnr {} => snr.max(1.0),
            Self::MinSnr { gamma } => snr.min(gamma),
        };
        match prediction {
            Prediction::X => for_x,
            Prediction::V => for_x * sigma * sigma,
            Prediction::Epsilon => for_x * (sigma / alpha).powi(2),
            Prediction::Score => for_x * (sigma * sigma / alpha).powi(2),
        }
    }
}

impl TeacherRecipe {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError`] names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), RecipeError> {
        if let Weighting::MinSnr { gamma } = self.weighting {
            range(gamma > 0.0, "weighting.gamma", &gamma, "a positive number")?;
        }
        self.training.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_agree_between_predictions_of_the_same_error() {
        // One error of x, seen as an error of v and of ε, must cost the same.
        let at = NoiseLevel::from_log_snr(0.7);
        let (alpha, sigma) = (at.alpha(), at.sigma());
        for weighting in [Weighting::TruncatedSnr {}, Weighting::MinSnr { gamma: 1.5 }] {
            let x = weighting.of(Prediction::X, at);
            let v = weighting.of(Prediction::V, at) / (sigma * sigma);
            let eps = weighting.of(Prediction::Epsilon, at) * (alpha / sigma).powi(2);
            assert!((x - v).abs() < 1e-12 && (x - eps).abs() < 1e-12);
        }
    }
}
