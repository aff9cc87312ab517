//! The times that a solver visits.
//!
//! Here are [`TimeGrid`] and its grids in time; `level` holds those that space noise levels, `table`
//! those on the entries of a table.

mod kind;
mod level;
mod table;

pub use kind::GridKind;
pub use table::TimestepSpacing;

use crate::Schedule;

/// A strictly decreasing list of times in `[0, 1]`, from noise towards data.
///
/// A grid of `n` steps has `n + 1` times. It says nothing about noise levels (that is the
/// [`Schedule`]) nor about which states are kept (that is the `record` argument of
/// [`solve`](crate::solve)). Times are `f64`.
///
/// # Examples
///
/// ```
/// use dsno_ode::{GridError, TimeGrid};
///
/// assert_eq!(TimeGrid::uniform(4)?.times(), [1.0, 0.75, 0.5, 0.25, 0.0]);
/// assert_eq!(TimeGrid::quadratic(4)?.times(), [1.0, 0.5625, 0.25, 0.0625, 0.0]);
/// assert_eq!(TimeGrid::from_times(vec![1.0, 0.3, 0.1])?.steps(), 2);
/// assert_eq!(TimeGrid::uniform(0), Err(GridError::TooFewTimes { count: 1 }));
/// # Ok::<(), GridError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TimeGrid {
    times: Vec<f64>,
}

impl TimeGrid {
    /// Makes the grid of the given kind with `steps` steps from `t = 1` to `t = 0`.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    /// * [`GridError::LogSnrRange`] if levels are to be spaced and the schedule has none to space.
    pub fn new(kind: GridKind, steps: usize, schedule: &dyn Schedule) -> Result<Self, GridError> {
        match kind {
            GridKind::Uniform => Self::uniform(steps),
            GridKind::Quadratic => Self::quadratic(steps),
            GridKind::LogSnr => Self::between_ends(steps, schedule, |low, high, fraction| {
                low + fraction * (high - low)
            }),
            GridKind::Karras => Self::between_ends(steps, schedule, |low, high, fraction| {
                // The root of exp(−λ/2) is exp(−λ/(2ρ)).
                let root = |log_snr: f64| (-0.5 * log_snr / level::RHO).exp();
                -2.0 * level::RHO * f64::ln(root(low) + fraction * (root(high) - root(low)))
            }),
        }
    }

    /// Makes the grid `t = i/n`, `i = n, …, 0`, with `n = steps`.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    pub fn uniform(steps: usize) -> Result<Self, GridError> {
        Self::of_fractions(steps, |fraction| fraction)
    }

    /// Makes the grid `t = (i/n)²`, `i = n, …, 0`, with `n = steps`: denser towards the data.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    pub fn quadratic(steps: usize) -> Result<Self, GridError> {
        Self::of_fractions(steps, |fraction| fraction * fraction)
    }

    fn of_fractions(steps: usize, time: impl Fn(f64) -> f64) -> Result<Self, GridError> {
        // No step leaves one time, which is too few.
        let fraction = |i: usize| i as f64 / steps as f64;
        Self::from_times((0..=steps).rev().map(|i| time(fraction(i))).collect())
    }

    /// Makes a grid of the given times.
    ///
    /// It need not start at 1 nor end at 0.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] for fewer than two times.
    /// * [`GridError::OutOfRange`] for the first time that is not in `[0, 1]`, NaN included.
    /// * [`GridError::NotDecreasing`] for the first time that is not below its predecessor.
    pub fn from_times(times: Vec<f64>) -> Result<Self, GridError> {
        if times.len() < 2 {
            return Err(GridError::TooFewTimes { count: times.len() });
        }
        for (index, &time) in times.iter().enumerate() {
            if !(0.0..=1.0).contains(&time) {
                return Err(GridError::OutOfRange { index, time });
            }
            if index > 0 && time >= times[index - 1] {
                return Err(GridError::NotDecreasing {
                    index,
                    previous: times[index - 1],
                    time,
                });
            }
        }
        Ok(Self { times })
    }

    /// Returns the times, largest first.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Returns the number of steps, one less than the number of times.
    pub fn steps(&self) -> usize {
        self.times.len() - 1
    }

    /// Returns the index of the grid time within `1e-12` of `time`, if there is one.
    ///
    /// The slack covers times that were written in a file with fewer digits than `f64` has.
    pub fn position(&self, time: f64) -> Option<usize> {
        self.times
            .iter()
            .position(|&t| (t - time).abs() <= SAME_TIME)
    }
}

/// Times closer than this are the same time, the ends of the process included.
pub(crate) const SAME_TIME: f64 = 1e-12;

/// Why a list of times is not a grid.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// There is no step between so few times.
    #[error("a time grid needs at least one step, that is two times, found {count}")]
    TooFewTimes {
        /// Number of times given.
        count: usize,
    },
    /// A time is outside the process.
    #[error("time {time} at position {index} of the grid is not in [0, 1]")]
    OutOfRange {
        /// Position in the list, from 0.
        index: usize,
        /// The time found there.
        time: f64,
    },
    /// A time does not lie below the one before it.
    #[error(
        "time {time} at position {index} of the grid follows {previous}, expected a smaller one: \
         grids run from noise (1) to data (0)"
    )]
    NotDecreasing {
        /// Position in the list, from 0.
        index: usize,
        /// The time before it.
        previous: f64,
        /// The time found there.
        time: f64,
    },
    /// A range of levels is empty, reversed or not finite.
    #[error(
        "levels are to be spaced from log-SNR {low} to {high}, expected two finite numbers of which \
         the first is smaller"
    )]
    LogSnrRange {
        /// Level of the first time, in nats.
        low: f64,
        /// Level of the last time, in nats.
        high: f64,
    },
    /// The numbers of a Karras grid are not positive, not ordered or not finite.
    #[error(
        "a Karras grid has rho {rho}, sigma_min {sigma_min} and sigma_max {sigma_max}, expected \
         finite numbers with rho > 0 and 0 < sigma_min < sigma_max"
    )]
    Karras {
        /// The exponent.
        rho: f64,
        /// `σ/α` at the last level.
        sigma_min: f64,
        /// `σ/α` at the first level.
        sigma_max: f64,
    },
    /// The schedule does not reach a level.
    #[error(
        "level {index} of the grid has log-SNR {log_snr} but the schedule runs from {lowest} at \
         time 1 to {highest} at time 0"
    )]
    OutsideSchedule {
        /// Position in the grid, from 0.
        index: usize,
        /// The requested level, in nats.
        log_snr: f64,
        /// `λ` at `t = 1`, in nats.
        lowest: f64,
        /// `λ` at `t = 0`, in nats.
        highest: f64,
    },
    /// A table has fewer entries than the grid is to visit.
    #[error("a grid of {steps} steps is to visit entries of a table that has only {entries}")]
    MoreStepsThanEntries {
        /// The requested number of steps.
        steps: usize,
        /// Number of entries of the table.
        entries: usize,
    },
}

#[cfg(test)]
mod tests;
