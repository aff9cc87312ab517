use super::SolverOptionError;
use crate::NoiseLevel;

/// How much noise [`StochasticHeun`](crate::StochasticHeun) adds, and at which levels.
///
/// The four numbers of Karras et al. 2022 (arXiv:2206.00364), Algorithm 2, under the names of k-diffusion
/// and diffusers; levels are in their `σ`, that is `σ/α`. The default adds no noise.
///
/// # Examples
///
/// ```
/// use dsno_ode::StochasticHeun;
/// use dsno_ode::solver::Churn;
///
/// // The paper's setting for ImageNet at 64×64.
/// let churn = Churn { s_churn: 40.0, s_min: 0.05, s_max: 50.0, s_noise: 1.003 };
/// let silent = |_: usize, like: &burn::tensor::Tensor<4>| like.zeros_like();
/// assert!(StochasticHeun::new(churn, silent).is_ok());
/// assert!(StochasticHeun::new(Churn { s_churn: -1.0, ..Churn::default() }, silent).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// Strength, `S_churn`: a step of `n` in all raises `σ/α` by the factor `1 + min(s_churn/n, √2 − 1)`.
    pub s_churn: f64,
    /// The lowest `σ/α` at which noise is added, `S_min`.
    pub s_min: f64,
    /// The highest `σ/α` at which noise is added, `S_max`; may be infinite.
    pub s_max: f64,
    /// The standard deviation of the noise, `S_noise`: 1 or slightly more.
    pub s_noise: f64,
}

impl Default for Churn {
    fn default() -> Self {
        Self {
            s_churn: 0.0,
            s_min: 0.0,
            s_max: f64::INFINITY,
            s_noise: 1.0,
        }
    }
}

impl Churn {
    /// Refuses numbers without a meaning, NaN included.
    pub(super) fn check(self) -> Result<(), SolverOptionError> {
        let Self {
            s_churn,
            s_min,
            s_max,
            s_noise,
        } = self;
        if !s_churn.is_finite() || s_churn < 0.0 {
            return Err(SolverOptionError::ChurnAmount { amount: s_churn });
        }
        let ordered = 0.0 <= s_min && s_min <= s_max;
        if !ordered {
            return Err(SolverOptionError::ChurnRange {
                min: s_min,
                max: s_max,
            });
        }
        if !s_noise.is_finite() || s_noise <= 0.0 {
            return Err(SolverOptionError::ChurnNoise { std: s_noise });
        }
        Ok(())
    }

    /// Returns `γ` for a step from `from` in a solve of `steps` steps.
    pub(super) fn gamma(self, from: NoiseLevel, steps: usize) -> f64 {
        let sigma = 1.0 / from.signal_to_noise();
        if (self.s_min..=self.s_max).contains(&sigma) {
            (self.s_churn / steps as f64).min(std::f64::consts::SQRT_2 - 1.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn churn(s_churn: f64, s_min: f64, s_max: f64, s_noise: f64) -> Churn {
        Churn {
            s_churn,
            s_min,
            s_max,
            s_noise,
        }
    }

    #[test]
    fn gamma_is_cut_off_and_limited_to_its_range() {
        let churn = churn(4.0, 0.1, 2.0, 1.0);
        let at = |sigma: f64| NoiseLevel::variance_exploding(sigma);
        assert_eq!(churn.gamma(at(1.0), 40), 0.1);
        assert_eq!(churn.gamma(at(1.0), 4), std::f64::consts::SQRT_2 - 1.0);
        assert_eq!(churn.gamma(at(0.05), 40), 0.0);
        assert_eq!(churn.gamma(at(3.0), 40), 0.0);
        // The level counts, not the process.
        assert_eq!(churn.gamma(NoiseLevel::from_log_snr(0.0), 40), 0.1);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        use SolverOptionError::{ChurnAmount, ChurnNoise, ChurnRange};
        for amount in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = churn(amount, 0.0, 1.0, 1.0).check();
            assert!(matches!(refused, Err(ChurnAmount { .. })));
        }
        for (min, max) in [(-0.1, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            let refused = churn(1.0, min, max, 1.0).check();
            assert!(matches!(refused, Err(ChurnRange { .. })));
        }
        for std in [0.0, -1.0, f64::NAN] {
            let refused = churn(1.0, 0.0, 1.0, std).check();
            assert!(matches!(refused, Err(ChurnNoise { .. })));
        }
    }
}
