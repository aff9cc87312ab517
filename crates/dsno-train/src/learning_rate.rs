//! The learning rate as a function of the images seen.

use serde::{Deserialize, Serialize};

/// Warm-up, then a decay.
///
/// ```text
/// rate(n) = peak · warm(n) · decay(n)         n: images seen before the step
/// warm(n) = 0.001 + 0.999 · min(n / warmup, 1)
/// ```
///
/// The warm-up is the one of the DSNO authors' training (arXiv:2211.13449v3, appendix).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRate {
    /// Rate after the warm-up and before any decay; positive.
    pub peak: f64,
    /// Images over which the rate rises from a thousandth of the peak; 0 for none.
    pub warmup_images: u64,
    /// What happens afterwards.
    pub decay: Decay,
}

/// How a learning rate falls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decay {
    /// Not at all.
    Constant {},
    /// Multiplied by `factor` at each milestone.
    Step {
        /// Images after which a step falls due, rising.
        milestones_images: Vec<u64>,
        /// In `(0, 1]`; the paper halves.
        factor: f64,
    },
    /// In a straight line to 0 at the end of training.
    Linear {},
    /// Along half a cosine to 0 at the end of training.
    Cosine {},
}

impl LearningRate {
    /// The rate of the step that starts after `images` of `total_images`.
    ///
    /// ```
    /// use dsno_train::{Decay, LearningRate};
    ///
    /// let decay = Decay::Step { milestones_images: vec![1000], factor: 0.5 };
    /// let rate = LearningRate { peak: 2e-4, warmup_images: 100, decay };
    /// assert_eq!(rate.at(0, 2000), 2e-4 * 0.001);
    /// assert_eq!(rate.at(999, 2000), 2e-4);
    /// assert_eq!(rate.at(1000, 2000), 1e-4);
    /// ```
    pub fn at(&self, images: u64, total_images: u64) -> f64 {
        let warm = if images >= self.warmup_images {
            1.0
        } else {
            0.001 + 0.999 * images as f64 / self.warmup_images as f64
        };
        let done = (images as f64 / total_images.max(1) as f64).min(1.0);
        let decay = match &self.decay {
            Decay::Constant {} => 1.0,
            Decay::Step {
                milestones_images,
                factor,
            } => {
                let passed = milestones_images.iter().filter(|&&m| m <= images).count();
                factor.powi(passed as i32)
            }
            Decay::Linear {} => 1.0 - done,
            Decay::Cosine {} => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        };
        self.peak * warm * decay
    }

    /// Whether the rate of a step depends on how long the training will be. Where it does not, a
    /// training can be made longer after its end.
    ///
    /// ```
    /// use dsno_train::{Decay, LearningRate};
    ///
    /// let rate = |decay| LearningRate { peak: 1e-3, warmup_images: 0, decay };
    /// assert!(!rate(Decay::Constant {}).depends_on_length());
    /// assert!(rate(Decay::Cosine {}).depends_on_length());
    /// ```
    pub fn depends_on_length(&self) -> bool {
        match self.decay {
            Decay::Constant {} | Decay::Step { .. } => false,
            Decay::Linear {} | Decay::Cosine {} => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decay_ends_where_it_says() {
        let rate = |decay, n| {
            LearningRate {
                peak: 1.0,
                warmup_images: 0,
                decay,
            }
            .at(n, 100)
        };
        assert_eq!(rate(Decay::Constant {}, 99), 1.0);
        assert_eq!(rate(Decay::Linear {}, 75), 0.25);
        assert!((rate(Decay::Cosine {}, 50) - 0.5).abs() < 1e-15);
        assert!(rate(Decay::Cosine {}, 100).abs() < 1e-15);
    }
}
