//! How much noise there is at each time.
//!
//! Here live the [`Schedule`] trait, its implementations (one file each) and [`NoiseSchedule`], the
//! form in which a schedule is written in a file. Which times a solver visits is a
//! [`TimeGrid`](crate::TimeGrid), not a schedule.

mod cosine;
mod discrete;
mod edm;
mod linear_beta;
mod noise_schedule;

pub use cosine::CosineSchedule;
pub use discrete::DiscreteSchedule;
pub use edm::EdmSchedule;
pub use linear_beta::LinearBetaSchedule;
pub use noise_schedule::NoiseSchedule;

use crate::NoiseLevel;

/// Gives the noise level at a time, and the time of a noise level.
///
/// Time runs from `t = 1` (noise) to `t = 0` (data). An implementation must be strictly decreasing
/// in `t` on `[0, 1]`, and [`time_at`](Self::time_at) must invert [`log_snr`](Self::log_snr) there.
/// Time and `λ` are `f64` on the host; there are no tensors in a schedule.
///
/// # Examples
///
/// A schedule of one's own needs only three formulas.
///
/// ```
/// use dsno_ode::Schedule;
///
/// /// λ falls linearly from 10 to −10.
/// struct Linear;
///
/// impl Schedule for Linear {
///     fn log_snr(&self, t: f64) -> f64 {
///         10.0 - 20.0 * t
///     }
///
///     fn time_at(&self, log_snr: f64) -> f64 {
///         (10.0 - log_snr) / 20.0
///     }
///
///     fn log_snr_rate(&self, _t: f64) -> f64 {
///         -20.0
///     }
/// }
///
/// assert_eq!(Linear.time_at(Linear.log_snr(0.25)), 0.25);
/// assert_eq!(Linear.at(0.5).alpha(), Linear.at(0.5).sigma());
/// ```
pub trait Schedule: Send + Sync {
    /// Returns `λ(t)` in nats at time `t ∈ [0, 1]`; `∞` where the process has no noise.
    fn log_snr(&self, t: f64) -> f64;

    /// Returns the time `t` at which `λ(t) = log_snr`.
    ///
    /// Outside the range of the schedule the value is outside `[0, 1]` or NaN.
    fn time_at(&self, log_snr: f64) -> f64;

    /// Returns `dλ/dt` at time `t ∈ [0, 1]`, in nats per unit of time; `−∞` where `λ` is infinite.
    fn log_snr_rate(&self, t: f64) -> f64;

    /// Returns the amplitudes at log signal-to-noise ratio `log_snr` (nats): those of a
    /// variance-preserving process, unless the schedule is of another.
    fn level(&self, log_snr: f64) -> NoiseLevel {
        NoiseLevel::from_log_snr(log_snr)
    }

    /// Returns the amplitudes `α`, `σ` at time `t ∈ [0, 1]`.
    fn at(&self, t: f64) -> NoiseLevel {
        self.level(self.log_snr(t))
    }

    /// Returns the time derivatives `(dα/dt, dσ/dt)` at time `t ∈ [0, 1]`.
    ///
    /// They follow from `dλ/dt`, see [`NoiseLevel::rates`]. That form is 0 · ∞ where `λ` is infinite,
    /// so schedules that have such a time give their own; there `dσ/dt` may be `∞`.
    fn rates(&self, t: f64) -> (f64, f64) {
        self.at(t).rates(self.log_snr_rate(t))
    }
}

/// Implements [`Schedule`] for a type that holds another schedule, by calling that one.
macro_rules! forward_schedule {
    ($this:ident => $inner:expr, $($header:tt)+) => {
        $($header)+ {
            fn log_snr(&$this, t: f64) -> f64 {
                $inner.log_snr(t)
            }

            fn time_at(&$this, log_snr: f64) -> f64 {
                $inner.time_at(log_snr)
            }

            fn log_snr_rate(&$this, t: f64) -> f64 {
                $inner.log_snr_rate(t)
            }

            fn level(&$this, log_snr: f64) -> NoiseLevel {
                $inner.level(log_snr)
            }

            fn at(&$this, t: f64) -> NoiseLevel {
                $inner.at(t)
            }

            fn rates(&$this, t: f64) -> (f64, f64) {
                $inner.rates(t)
            }
        }
    };
}

forward_schedule!(self => (**self), impl<S: Schedule + ?Sized> Schedule for &S);
forward_schedule!(self => (**self), impl<S: Schedule + ?Sized> Schedule for Box<S>);
forward_schedule!(self => self.inner(), impl Schedule for NoiseSchedule);

/// Why the numbers given for a schedule do not describe one.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The range of a cosine schedule is empty, reversed or not finite.
    #[error(
        "cosine schedule runs from log_snr_max {max} down to log_snr_min {min}, expected two finite \
         numbers with log_snr_min < log_snr_max"
    )]
    LogSnrRange {
        /// `λ` at `t = 1`, in nats.
        min: f64,
        /// `λ` at `t = 0`, in nats.
        max: f64,
    },
    /// A table has no room for a step, or is too large to be one.
    #[error("a table of noise levels needs 2 to 1000000 entries, found {count}")]
    EntryCount {
        /// Number of entries given.
        count: usize,
    },
    /// The largest noise of a variance-exploding schedule is not positive and finite.
    #[error("edm schedule has sigma_max {sigma_max}, expected a positive finite number")]
    SigmaMax {
        /// `σ` at `t = 1`, in pixel units.
        sigma_max: f64,
    },
    /// An entry of a table of `β` is not a variance that leaves some signal.
    #[error(
        "entry {index} of the noise table has beta {beta}, expected more than 0 and less than 1"
    )]
    Beta {
        /// Position in the table, from 0.
        index: usize,
        /// The value found.
        beta: f64,
    },
    /// The rates of a linear-β schedule are not positive, not ordered or not finite.
    #[error(
        "linear-beta schedule has beta_min {beta_min} and beta_max {beta_max}, expected two finite \
         numbers with 0 < beta_min <= beta_max"
    )]
    BetaRange {
        /// `β` at `t = 0`, per unit of time.
        beta_min: f64,
        /// `β` at `t = 1`, per unit of time.
        beta_max: f64,
    },
}

#[cfg(test)]
mod tests;
