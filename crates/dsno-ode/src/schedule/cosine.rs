use std::f64::consts::FRAC_PI_2;

use super::{Schedule, ScheduleError};

/// The cosine schedule, cut to a finite range of log-SNR.
///
/// The state moves along a circle at constant angular speed: `α = cos φ`, `σ = sin φ` with `φ`
/// linear in `t`. The cut keeps both ends invertible. The default range is `[−20, 20]`, that of the
/// progressive-distillation networks and of DSNO.
///
/// ```text
/// λ(t) = −2 ln tan(a t + b)        b = atan(exp(−λ_max/2)),  a = atan(exp(−λ_min/2)) − b
/// t(λ) = (atan(exp(−λ/2)) − b)/a
/// ```
///
/// Nichol and Dhariwal 2021 (arXiv:2102.09672) introduced the cosine; the cut form in `λ` is that of
/// Salimans and Ho 2022 (arXiv:2202.00512). In the noisy half the angle is measured from `π/2`, where
/// `tan` is steep, so `λ` and its inverse are accurate to `1e-14` relative at both ends.
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Schedule};
///
/// let schedule = CosineSchedule::default();
/// assert_eq!(schedule.log_snr(1.0).round(), -20.0);
/// assert!(schedule.log_snr(0.5).abs() < 1e-14);
/// assert!((schedule.time_at(schedule.log_snr(0.3)) - 0.3).abs() < 1e-14);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSchedule {
    log_snr_min: f64,
    log_snr_max: f64,
    /// Angle from the signal axis at t = 0 (`b` of the formula).
    clean_angle: f64,
    /// Angle from the noise axis at t = 1 (`π/2 − a − b`).
    noise_angle: f64,
}

impl CosineSchedule {
    /// Makes the schedule that runs from `log_snr_max` at `t = 0` to `log_snr_min` at `t = 1` (nats).
    ///
    /// # Errors
    ///
    /// * [`ScheduleError::LogSnrRange`] unless both are finite and `log_snr_min < log_snr_max`.
    pub fn new(log_snr_min: f64, log_snr_max: f64) -> Result<Self, ScheduleError> {
        let finite = log_snr_min.is_finite() && log_snr_max.is_finite();
        if !finite || log_snr_min >= log_snr_max {
            return Err(ScheduleError::LogSnrRange {
                min: log_snr_min,
                max: log_snr_max,
            });
        }
        Ok(Self {
            log_snr_min,
            log_snr_max,
            clean_angle: (-0.5 * log_snr_max).exp().atan(),
            noise_angle: (0.5 * log_snr_min).exp().atan(),
        })
    }

    /// Returns `λ` at `t = 1`, in nats.
    pub const fn log_snr_min(&self) -> f64 {
        self.log_snr_min
    }

    /// Returns `λ` at `t = 0`, in nats.
    pub const fn log_snr_max(&self) -> f64 {
        self.log_snr_max
    }

    /// Returns the angle travelled from `t = 0` to `t = 1` (`a` of the formula), in radians.
    fn span(&self) -> f64 {
        FRAC_PI_2 - self.clean_angle - self.noise_angle
    }

    /// Returns the angle at time `t` from the nearer axis, that of the signal for `t < ½`.
    fn angle(&self, t: f64) -> f64 {
        if t < 0.5 {
            self.span() * t + self.clean_angle
        } else {
            self.span() * (1.0 - t) + self.noise_angle
        }
    }
}

impl Default for CosineSchedule {
    /// Makes the schedule with `λ ∈ [−20, 20]`.
    fn default() -> Self {
        Self::new(-20.0, 20.0).expect("invariant: a rising finite range")
    }
}

impl Schedule for CosineSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        // tan(π/2 − φ) = 1/tan φ turns the sign and keeps φ's digits near φ = π/2.
        let factor = if t < 0.5 { -2.0 } else { 2.0 };
        factor * self.angle(t).tan().ln()
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        // −2 a/(sin φ cos φ), with the angle measured from the nearer axis.
        -4.0 * self.span() / (2.0 * self.angle(t)).sin()
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        if log_snr > 0.0 {
            ((-0.5 * log_snr).exp().atan() - self.clean_angle) / self.span()
        } else {
            1.0 - ((0.5 * log_snr).exp().atan() - self.noise_angle) / self.span()
        }
    }
}
