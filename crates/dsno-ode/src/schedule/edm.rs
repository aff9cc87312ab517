use super::{Schedule, ScheduleError};
use crate::NoiseLevel;

/// The variance-exploding schedule of EDM: the image stays as it is, and `σ` grows linearly in time.
///
/// Its states are `x + σ ε`, see [`NoiseLevel::variance_exploding`], so the state at `t = 1` is noise
/// with standard deviation `sigma_max` around the image, not standard normal noise. The default is 80,
/// the value of the paper for images in `[-1, 1]`.
///
/// ```text
/// α(t) = 1       σ(t) = σ_max t       λ(t) = −2 ln(σ_max t)
/// t(λ) = exp(−λ/2)/σ_max
/// ```
///
/// Karras et al. 2022 (arXiv:2206.00364): `σ(t) = t` there, which is this schedule in other units of
/// time. There is no noise at `t = 0`: `λ(0) = ∞`. The paper ends its grids there, and so do
/// [`TimeGrid::karras`](crate::TimeGrid::karras) and the grids of
/// [`GridKind`](crate::GridKind).
///
/// # Examples
///
/// ```
/// use dsno_ode::{EdmSchedule, Schedule};
///
/// let schedule = EdmSchedule::default();
/// assert!((schedule.at(0.5).sigma() - 40.0).abs() < 1e-12);
/// assert_eq!(schedule.at(0.5).alpha(), 1.0);
/// assert_eq!(schedule.rates(0.5), (0.0, 80.0));
/// assert_eq!(schedule.log_snr(0.0), f64::INFINITY);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdmSchedule {
    sigma_max: f64,
}

impl EdmSchedule {
    /// Makes the schedule whose noise has standard deviation `sigma_max` at `t = 1`, in pixel units.
    ///
    /// # Errors
    ///
    /// * [`ScheduleError::SigmaMax`] unless `sigma_max` is positive and finite.
    pub fn new(sigma_max: f64) -> Result<Self, ScheduleError> {
        if sigma_max.is_finite() && sigma_max > 0.0 {
            return Ok(Self { sigma_max });
        }
        Err(ScheduleError::SigmaMax { sigma_max })
    }

    /// Returns `σ` at `t = 1`, in pixel units.
    pub const fn sigma_max(&self) -> f64 {
        self.sigma_max
    }
}

impl Default for EdmSchedule {
    /// Makes the schedule with `σ` up to 80.
    fn default() -> Self {
        Self { sigma_max: 80.0 }
    }
}

impl Schedule for EdmSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        -2.0 * (self.sigma_max * t).ln()
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        (-0.5 * log_snr).exp() / self.sigma_max
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        -2.0 / t
    }

    fn level(&self, log_snr: f64) -> NoiseLevel {
        NoiseLevel::variance_exploding(1.0).with_log_snr(log_snr)
    }

    fn rates(&self, _t: f64) -> (f64, f64) {
        (0.0, self.sigma_max)
    }
}
