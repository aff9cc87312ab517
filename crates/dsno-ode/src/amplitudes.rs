//! The signal and noise amplitudes of one noise level.
//!
//! [`Amplitudes`] is what solvers, denoisers and conversions are told instead of a time, so that
//! none of them needs to know a schedule.

/// One noise level of a variance-preserving process, with its signal and noise amplitudes.
///
/// A noisy state is `z_t = α x + σ ε`. The level is stored as its log signal-to-noise ratio, in
/// `f64`, because `α` and `σ` alone lose the level near both ends: at `λ = ±20` one of them differs
/// from 1 by `1e-9`.
///
/// ```text
/// λ  = ln(α²/σ²)              natural logarithm (nats)
/// α² = sigmoid(λ)
/// σ² = sigmoid(−λ)            so that α² + σ² = 1
/// ```
///
/// Both amplitudes keep full relative precision for every `λ`, also where `exp(λ)` overflows.
/// `λ = ∞` is the noiseless image (`α = 1`, `σ = 0`), `λ = −∞` is pure noise.
///
/// # Examples
///
/// ```
/// use dsno_ode::Amplitudes;
///
/// let level = Amplitudes::from_log_snr(20.0);
/// assert!((level.sigma() - (-10.0f64).exp()).abs() < 1e-13);
/// assert!((level.alpha().powi(2) + level.sigma().powi(2) - 1.0).abs() < 1e-15);
/// assert_eq!(Amplitudes::from_log_snr(f64::INFINITY).sigma(), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amplitudes {
    log_snr: f64,
}

impl Amplitudes {
    /// Names the noise level with log signal-to-noise ratio `log_snr` (nats).
    ///
    /// NaN is not rejected: it gives NaN amplitudes, and [`solve`](crate::solve) stops on them.
    pub const fn from_log_snr(log_snr: f64) -> Self {
        Self { log_snr }
    }

    /// Returns `λ = ln(α²/σ²)` in nats.
    pub const fn log_snr(self) -> f64 {
        self.log_snr
    }

    /// Returns the signal amplitude `α = sqrt(sigmoid(λ))`, in `[0, 1]`.
    pub fn alpha(self) -> f64 {
        sqrt_sigmoid(self.log_snr)
    }

    /// Returns the noise amplitude `σ = sqrt(sigmoid(−λ))`, in `[0, 1]`.
    pub fn sigma(self) -> f64 {
        sqrt_sigmoid(-self.log_snr)
    }

    /// Returns the amplitude ratio `α/σ = exp(λ/2)`, in `[0, ∞]`.
    pub fn signal_to_noise(self) -> f64 {
        (0.5 * self.log_snr).exp()
    }
}

/// Evaluates the root of the logistic function without overflow or cancellation on either side.
fn sqrt_sigmoid(x: f64) -> f64 {
    if x < 0.0 {
        (0.5 * x).exp() / (1.0 + x.exp()).sqrt()
    } else {
        1.0 / (1.0 + (-x).exp()).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_sum_to_one_at_every_level() {
        for i in -800..=800 {
            let level = Amplitudes::from_log_snr(f64::from(i));
            let sum = level.alpha().powi(2) + level.sigma().powi(2);
            assert!((sum - 1.0).abs() < 4.0 * f64::EPSILON, "λ = {i}: {sum}");
        }
    }

    #[test]
    fn keeps_the_level_where_one_amplitude_rounds_to_one() {
        for log_snr in [-700.0, -40.0, -20.0, 0.0, 20.0, 40.0, 700.0] {
            let level = Amplitudes::from_log_snr(log_snr);
            let recovered = 2.0 * (level.alpha().ln() - level.sigma().ln());
            assert!((recovered - log_snr).abs() <= 1e-13 * log_snr.abs().max(1.0));
        }
    }

    #[test]
    fn reaches_the_limits_exactly() {
        let clean = Amplitudes::from_log_snr(f64::INFINITY);
        let noise = Amplitudes::from_log_snr(f64::NEG_INFINITY);
        assert_eq!((clean.alpha(), clean.sigma()), (1.0, 0.0));
        assert_eq!((noise.alpha(), noise.sigma()), (0.0, 1.0));
        assert!(Amplitudes::from_log_snr(f64::NAN).alpha().is_nan());
    }
}
