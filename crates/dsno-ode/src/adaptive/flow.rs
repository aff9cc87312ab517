//! The ODE that the adaptive solver integrates: a state on the circle of signal and noise.

use burn::tensor::Tensor;

use crate::solve::Counted;
use crate::solver::predict;
use crate::{Denoiser, NoiseLevel, Prediction, Schedule, StepError};

/// A place between noise and data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// `φ = atan(σ/α)`, in radians: 0 is data, `π/2` is noise.
    pub(super) angle: f64,
    pub(super) t: f64,
    pub(super) log_snr: f64,
}

/// The probability-flow ODE with the angle `φ` as its variable.
///
/// ```text
/// u = z_t/√(α² + σ²) = cos φ · x + sin φ · ε        du/dφ = cos φ · ε̂ − sin φ · x̂ = v̂
/// ```
pub(super) struct Flow<'a> {
    pub(super) model: Counted<'a>,
    schedule: &'a dyn Schedule,
}

impl<'a> Flow<'a> {
    pub(super) const fn new(model: &'a dyn Denoiser, schedule: &'a dyn Schedule) -> Self {
        Self {
            model: Counted::new(model),
            schedule,
        }
    }

    /// Returns the place at a time of the schedule.
    pub(super) fn at_time(&self, t: f64) -> Place {
        let log_snr = self.schedule.log_snr(t);
        Place {
            angle: (-0.5 * log_snr).exp().atan(),
            t,
            log_snr,
        }
    }

    /// Returns the place at an angle.
    pub(super) fn at_angle(&self, angle: f64) -> Place {
        let log_snr = -2.0 * angle.tan().ln();
        Place {
            angle,
            t: self.schedule.time_at(log_snr),
            log_snr,
        }
    }

    /// Returns `du/dφ = v̂`; one model call.
    pub(super) fn velocity(&self, at: Place, u: &Tensor<4>) -> Result<Tensor<4>, StepError> {
        let x_hat = predict(
            &self.model,
            &self.leave_circle(u.clone(), at),
            self.schedule.level(at.log_snr),
        )?;
        Ok(Prediction::X.to_v(x_hat, u.clone(), circle(at)))
    }

    /// Divides a state by `√(α² + σ²)`.
    pub(super) fn enter_circle(&self, z_t: Tensor<4>, at: Place) -> Tensor<4> {
        let scale = self.schedule.level(at.log_snr).scale();
        if scale == 1.0 { z_t } else { z_t / scale }
    }

    /// Multiplies a state by `√(α² + σ²)`.
    pub(super) fn leave_circle(&self, u: Tensor<4>, at: Place) -> Tensor<4> {
        let scale = self.schedule.level(at.log_snr).scale();
        if scale == 1.0 { u } else { u * scale }
    }
}

/// Returns `(cos φ, sin φ)` as a noise level.
pub(super) const fn circle(at: Place) -> NoiseLevel {
    NoiseLevel::from_log_snr(at.log_snr)
}
