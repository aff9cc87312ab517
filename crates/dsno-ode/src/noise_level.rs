//! The signal and noise amplitudes of one noise level.
//!
//! [`NoiseLevel`] is what solvers, denoisers and conversions take instead of a time, so that
//! none of them needs to know a schedule.

/// One noise level of a diffusion process, with its signal and noise amplitudes.
///
/// A noisy state is `z_t = α x + σ ε`. The level is stored as its log signal-to-noise ratio, in
/// `f64`, because `α` and `σ` alone lose the level near both ends: at `λ = ±20` one of them differs
/// from 1 by `1e-9`.
///
/// ```text
/// λ  = ln(α²/σ²)              natural logarithm (nats)
///
/// α² = sigmoid(λ)             variance preserving: α² + σ² = 1
/// σ² = sigmoid(−λ)
///
/// α  = 1                      variance exploding: the noise is added to the image as it is
/// σ  = exp(−λ/2)
/// ```
///
/// The two processes are the same flow in other units: dividing a variance-preserving state by its
/// `α` gives the variance-exploding state of the same `λ`. Both amplitudes keep full relative
/// precision for every `λ`, also where `exp(λ)` overflows. `λ = ∞` is the noiseless image (`α = 1`,
/// `σ = 0`), `λ = −∞` is pure noise.
///
/// # Examples
///
/// ```
/// use dsno_ode::NoiseLevel;
///
/// let level = NoiseLevel::from_log_snr(20.0);
/// assert!((level.sigma() - (-10.0f64).exp()).abs() < 1e-13);
/// assert!((level.alpha().powi(2) + level.sigma().powi(2) - 1.0).abs() < 1e-15);
/// assert_eq!(NoiseLevel::from_log_snr(f64::INFINITY).sigma(), 0.0);
///
/// let edm = NoiseLevel::variance_exploding(80.0);
/// assert_eq!(edm.alpha(), 1.0);
/// assert!((edm.sigma() - 80.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseLevel {
    log_snr: f64,
    process: Process,
}

/// What is held fixed while noise comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    /// `α² + σ² = 1`
    VariancePreserving,
    /// `α = 1`
    VarianceExploding,
}

impl NoiseLevel {
    /// Names the noise level of a variance-preserving process with log signal-to-noise ratio
    /// `log_snr` (nats).
    ///
    /// NaN is not rejected: it gives NaN amplitudes, and [`solve`](crate::solve) stops on them.
    pub const fn from_log_snr(log_snr: f64) -> Self {
        Self {
            log_snr,
            process: Process::VariancePreserving,
        }
    }

    /// Names the noise level of a variance-exploding process whose noise has standard deviation
    /// `sigma`, in pixel units, `sigma >= 0`.
    pub fn variance_exploding(sigma: f64) -> Self {
        Self {
            log_snr: -2.0 * sigma.ln(),
            process: Process::VarianceExploding,
        }
    }

    /// Returns another level of the same process.
    pub const fn with_log_snr(self, log_snr: f64) -> Self {
        Self { log_snr, ..self }
    }

    /// Returns `λ = ln(α²/σ²)` in nats.
    pub const fn log_snr(self) -> f64 {
        self.log_snr
    }

    /// Returns the signal amplitude `α`, in `[0, 1]`.
    pub fn alpha(self) -> f64 {
        match self.process {
            Process::VariancePreserving => sqrt_sigmoid(self.log_snr),
            Process::VarianceExploding => 1.0,
        }
    }

    /// Returns the noise amplitude `σ`: in `[0, 1]` if variance is preserved, else in `[0, ∞]`.
    pub fn sigma(self) -> f64 {
        match self.process {
            Process::VariancePreserving => sqrt_sigmoid(-self.log_snr),
            Process::VarianceExploding => (-0.5 * self.log_snr).exp(),
        }
    }

    /// Returns the amplitude ratio `α/σ = exp(λ/2)`, in `[0, ∞]`.
    pub fn signal_to_noise(self) -> f64 {
        (0.5 * self.log_snr).exp()
    }

    /// Returns `(dα/dt, dσ/dt)` for a level that moves at `dλ/dt = log_snr_rate`.
    ///
    /// ```text
    /// dα/dt =  ½ α σ² dλ/dt       variance preserving;   0 if α is 1 throughout
    /// dσ/dt = −½ σ α² dλ/dt                              in both cases
    /// ```
    pub fn rates(self, log_snr_rate: f64) -> (f64, f64) {
        let (alpha, sigma) = (self.alpha(), self.sigma());
        let alpha_rate = match self.process {
            Process::VariancePreserving => 0.5 * alpha * sigma * sigma * log_snr_rate,
            Process::VarianceExploding => 0.0,
        };
        (alpha_rate, -0.5 * sigma * alpha * alpha * log_snr_rate)
    }

    /// Returns `s = sqrt(α² + σ²)`: dividing a state by it gives the variance-preserving state of
    /// the same level, which is what networks trained on such a process expect.
    ///
    /// Exactly 1 for a variance-preserving level.
    pub fn scale(self) -> f64 {
        match self.process {
            Process::VariancePreserving => 1.0,
            Process::VarianceExploding => 1.0 / sqrt_sigmoid(self.log_snr),
        }
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
            let level = NoiseLevel::from_log_snr(f64::from(i));
            let sum = level.alpha().powi(2) + level.sigma().powi(2);
            assert!((sum - 1.0).abs() < 4.0 * f64::EPSILON, "λ = {i}: {sum}");
        }
    }

    #[test]
    fn keeps_the_level_where_one_amplitude_rounds_to_one() {
        for log_snr in [-700.0, -40.0, -20.0, 0.0, 20.0, 40.0, 700.0] {
            let level = NoiseLevel::from_log_snr(log_snr);
            let recovered = 2.0 * (level.alpha().ln() - level.sigma().ln());
            assert!((recovered - log_snr).abs() <= 1e-13 * log_snr.abs().max(1.0));
        }
    }

    #[test]
    fn both_processes_are_one_flow_in_other_units() {
        for log_snr in [-20.0, -3.0, 0.0, 7.5, 20.0] {
            let preserving = NoiseLevel::from_log_snr(log_snr);
            let exploding = NoiseLevel::variance_exploding((-0.5 * log_snr).exp());
            assert!((exploding.log_snr() - log_snr).abs() <= 4e-15 * log_snr.abs());
            let alpha = exploding.alpha() / exploding.scale();
            let sigma = exploding.sigma() / exploding.scale();
            assert!((alpha - preserving.alpha()).abs() <= 1e-14 * alpha);
            assert!((sigma - preserving.sigma()).abs() <= 1e-14 * sigma);
            assert_eq!(preserving.scale(), 1.0);
            assert_eq!(exploding.with_log_snr(log_snr).alpha(), 1.0);
        }
        assert_eq!(NoiseLevel::variance_exploding(0.0).sigma(), 0.0);
    }

    #[test]
    fn reaches_the_limits_exactly() {
        let clean = NoiseLevel::from_log_snr(f64::INFINITY);
        let noise = NoiseLevel::from_log_snr(f64::NEG_INFINITY);
        assert_eq!((clean.alpha(), clean.sigma()), (1.0, 0.0));
        assert_eq!((noise.alpha(), noise.sigma()), (0.0, 1.0));
        assert!(NoiseLevel::from_log_snr(f64::NAN).alpha().is_nan());
    }
}
