use super::SolverOptionError;
use crate::NoiseLevel;

/// How much noise [`ChurnedHeun`](crate::ChurnedHeun) adds, and at which levels.
///
/// The four numbers are `S_churn`, `S_min`, `S_max` and `S_noise` of Karras et al. 2022
/// (arXiv:2206.00364), Algorithm 2; levels are in their `σ`, that is `σ/α`.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Churn, SolverOptionError};
///
/// let churn = Churn::new(40.0, 0.05, 50.0, 1.003)?;
/// assert_eq!((churn.amount(), churn.noise_std()), (40.0, 1.003));
/// assert_eq!(Churn::NONE.amount(), 0.0);
/// assert!(Churn::new(-1.0, 0.0, 1.0, 1.0).is_err());
/// # Ok::<(), SolverOptionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    amount: f64,
    sigma_min: f64,
    sigma_max: f64,
    noise_std: f64,
}

impl Churn {
    /// Adds no noise.
    pub const NONE: Self = Self {
        amount: 0.0,
        sigma_min: 0.0,
        sigma_max: f64::INFINITY,
        noise_std: 1.0,
    };

    /// Makes the churn of strength `amount` where `σ/α` is in `[sigma_min, sigma_max]`.
    ///
    /// A step of `n` in all raises `σ/α` by the factor `1 + min(amount/n, √2 − 1)`, with noise of
    /// standard deviation `noise_std`, usually 1 or slightly more.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::ChurnAmount`] if `amount` is negative or not finite.
    /// * [`SolverOptionError::ChurnRange`] unless `0 <= sigma_min <= sigma_max`; `∞` is allowed.
    /// * [`SolverOptionError::ChurnNoise`] if `noise_std` is not positive and finite.
    pub fn new(
        amount: f64,
        sigma_min: f64,
        sigma_max: f64,
        noise_std: f64,
    ) -> Result<Self, SolverOptionError> {
        if !amount.is_finite() || amount < 0.0 {
            return Err(SolverOptionError::ChurnAmount { amount });
        }
        let ordered = 0.0 <= sigma_min && sigma_min <= sigma_max;
        if !ordered {
            return Err(SolverOptionError::ChurnRange {
                min: sigma_min,
                max: sigma_max,
            });
        }
        if !noise_std.is_finite() || noise_std <= 0.0 {
            return Err(SolverOptionError::ChurnNoise { std: noise_std });
        }
        Ok(Self {
            amount,
            sigma_min,
            sigma_max,
            noise_std,
        })
    }

    /// Returns the strength, `S_churn`.
    pub const fn amount(self) -> f64 {
        self.amount
    }

    /// Returns the lowest `σ/α` at which noise is added.
    pub const fn sigma_min(self) -> f64 {
        self.sigma_min
    }

    /// Returns the highest `σ/α` at which noise is added.
    pub const fn sigma_max(self) -> f64 {
        self.sigma_max
    }

    /// Returns the standard deviation of the noise, `S_noise`.
    pub const fn noise_std(self) -> f64 {
        self.noise_std
    }

    /// Returns `γ` for a step from `from` in a solve of `steps` steps.
    pub(super) fn gamma(self, from: NoiseLevel, steps: usize) -> f64 {
        let sigma = 1.0 / from.signal_to_noise();
        if (self.sigma_min..=self.sigma_max).contains(&sigma) {
            (self.amount / steps as f64).min(std::f64::consts::SQRT_2 - 1.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_is_cut_off_and_limited_to_its_range() {
        let churn = Churn::new(4.0, 0.1, 2.0, 1.0).expect("valid");
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
        for amount in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = Churn::new(amount, 0.0, 1.0, 1.0);
            assert!(matches!(
                refused,
                Err(SolverOptionError::ChurnAmount { .. })
            ));
        }
        for (min, max) in [(-0.1, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            let refused = Churn::new(1.0, min, max, 1.0);
            assert!(matches!(refused, Err(SolverOptionError::ChurnRange { .. })));
        }
        for std in [0.0, -1.0, f64::NAN] {
            let refused = Churn::new(1.0, 0.0, 1.0, std);
            assert!(matches!(refused, Err(SolverOptionError::ChurnNoise { .. })));
        }
    }
}
