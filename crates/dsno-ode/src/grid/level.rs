//! Grids that space noise levels instead of times.

use std::ops::RangeInclusive;

use super::{GridError, SAME_TIME, TimeGrid};
use crate::Schedule;

/// `σ/α` between which [`GridKind`](super::GridKind) spaces levels at most.
const WIDEST: (f64, f64) = (80.0, 0.002);

/// The exponent of Karras et al. 2022.
pub(super) const RHO: f64 = 7.0;

/// How far, relative to the larger of 1 and the level, a level may lie outside the schedule through
/// rounding.
const ROUNDING: f64 = 1e-9;

impl TimeGrid {
    /// Makes the grid whose `steps` steps are equal in `λ`, over a range of log-SNR (nats).
    ///
    /// It visits both ends of the range and nothing beyond: a range that ends below `λ(0)` gives a
    /// grid that ends before `t = 0`. This is the spacing "logSNR" of Lu et al. 2022
    /// (arXiv:2206.00927). [`GridKind::LogSnr`](super::GridKind::LogSnr) chooses the range and goes on
    /// to `t = 0`.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    /// * [`GridError::LogSnrRange`] unless the range rises between finite numbers.
    /// * [`GridError::OutsideSchedule`] if it is not within `[λ(1), λ(0)]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{CosineSchedule, Schedule, TimeGrid};
    ///
    /// let schedule = CosineSchedule::default();
    /// let grid = TimeGrid::uniform_log_snr(4, -20.0..=20.0, &schedule)?;
    /// assert!((grid.times()[2] - 0.5).abs() < 1e-12);
    /// assert!((schedule.log_snr(grid.times()[1]) + 10.0).abs() < 1e-9);
    /// # Ok::<(), dsno_ode::GridError>(())
    /// ```
    pub fn uniform_log_snr(
        steps: usize,
        log_snr_range: RangeInclusive<f64>,
        schedule: &dyn Schedule,
    ) -> Result<Self, GridError> {
        let (low, high) = log_snr_range.into_inner();
        check_range(low, high)?;
        if steps == 0 {
            return Err(GridError::TooFewTimes { count: 1 });
        }
        let level = |i: usize| low + (high - low) * i as f64 / steps as f64;
        Self::from_log_snr(&(0..=steps).map(level).collect::<Vec<_>>(), schedule)
    }

    /// Makes the grid of Karras et al.: equal steps in the `rho`-th root of `σ/α`, then `t = 0`.
    ///
    /// ```text
    /// σ_i/α_i = (σ_max^(1/ρ) + i/(n−1) (σ_min^(1/ρ) − σ_max^(1/ρ)))^ρ      i = 0, …, n−1,  n = steps
    /// ```
    ///
    /// The step from `sigma_min` to `t = 0` is the last of the `n` steps, so that a single step goes
    /// from `sigma_max` to 0. If `sigma_min` is the level of `t = 0` itself there is no such step, and
    /// the `n` steps lead there. `sigma_max` and `sigma_min` are noise-to-signal ratios `σ/α`: `σ` itself
    /// on an [`EdmSchedule`](crate::EdmSchedule), `exp(−λ/2)` on every schedule.
    ///
    /// Karras et al. 2022 (arXiv:2206.00364), who use `ρ = 7`, 0.002 and 80.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    /// * [`GridError::Karras`] unless `rho > 0` and `0 < sigma_min < sigma_max`, all finite.
    /// * [`GridError::OutsideSchedule`] if a level is not within `[λ(1), λ(0)]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{DiscreteSchedule, Schedule, TimeGrid};
    ///
    /// let ddpm = DiscreteSchedule::linear(1000, 1e-4, 0.02)?;
    /// let grid = TimeGrid::karras(10, 7.0, 0.02, 150.0, &ddpm)?;
    /// assert_eq!(grid.steps(), 10);
    /// assert!((ddpm.log_snr(grid.times()[0]) + 2.0 * 150f64.ln()).abs() < 1e-9);
    /// assert_eq!(grid.times()[10], 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn karras(
        steps: usize,
        rho: f64,
        sigma_min: f64,
        sigma_max: f64,
        schedule: &dyn Schedule,
    ) -> Result<Self, GridError> {
        let finite = rho.is_finite() && sigma_max.is_finite();
        // Not the negated comparisons: NaN must not pass.
        let ordered = rho > 0.0 && sigma_min > 0.0 && sigma_min < sigma_max;
        if !finite || !ordered {
            return Err(GridError::Karras {
                rho,
                sigma_min,
                sigma_max,
            });
        }
        let (first, last) = (sigma_max.powf(rho.recip()), sigma_min.powf(rho.recip()));
        let level = |fraction| -2.0 * rho * f64::ln(first + fraction * (last - first));
        spaced(steps, -2.0 * sigma_min.ln(), schedule, level)
    }

    /// Makes a grid of the given levels, each a log-SNR in nats, rising.
    ///
    /// `∞` is `t = 0` of a schedule that has no noise there. Levels within `1e-12` of either end in time
    /// are that end.
    ///
    /// # Errors
    ///
    /// * [`GridError::OutsideSchedule`] for the first level that is not within `[λ(1), λ(0)]`.
    /// * Those of [`from_times`](Self::from_times), for the times of the levels.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{EdmSchedule, TimeGrid};
    ///
    /// let levels = [80.0, 20.0, 2.0, 0.0].map(|sigma: f64| -2.0 * sigma.ln());
    /// let grid = TimeGrid::from_log_snr(&levels, &EdmSchedule::default())?;
    /// assert_eq!((grid.times()[0], grid.times()[3]), (1.0, 0.0));
    /// assert!((grid.times()[1] - 0.25).abs() < 1e-15);
    /// # Ok::<(), dsno_ode::GridError>(())
    /// ```
    pub fn from_log_snr(levels: &[f64], schedule: &dyn Schedule) -> Result<Self, GridError> {
        let time = |(index, &level): (usize, &f64)| time_of(level, index, schedule);
        let times: Result<_, _> = levels.iter().enumerate().map(time).collect();
        Self::from_times(times?)
    }

    /// Makes the grid whose level at a fraction of the way is `level(low, high, fraction)`, between
    /// the ends of the process.
    pub(super) fn between_ends(
        steps: usize,
        schedule: &dyn Schedule,
        level: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<Self, GridError> {
        let low = schedule.log_snr(1.0).max(-2.0 * WIDEST.0.ln());
        let high = schedule.log_snr(0.0).min(-2.0 * WIDEST.1.ln());
        check_range(low, high)?;
        let mut grid = spaced(steps, high, schedule, |f| level(low, high, f))?;
        grid.times[0] = 1.0;
        Ok(grid)
    }
}

/// Spaces the levels of `steps` steps, at fractions from 0 to 1, that end with `last`. The last step leads
/// on to `t = 0`, unless `last` is its level.
fn spaced(
    steps: usize,
    last: f64,
    schedule: &dyn Schedule,
    level: impl Fn(f64) -> f64,
) -> Result<TimeGrid, GridError> {
    if steps == 0 {
        return Err(GridError::TooFewTimes { count: 1 });
    }
    let then_data = time_of(last, steps - 1, schedule)? > 0.0;
    let intervals = steps - usize::from(then_data);
    let fraction = |i: usize| i as f64 / intervals.max(1) as f64;
    let times = (0..=intervals).map(|i| time_of(level(fraction(i)), i, schedule));
    let times: Vec<f64> = times
        .chain(then_data.then_some(Ok(0.0)))
        .collect::<Result<_, _>>()?;
    TimeGrid::from_times(times)
}

fn check_range(low: f64, high: f64) -> Result<(), GridError> {
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(());
    }
    Err(GridError::LogSnrRange { low, high })
}

/// Returns the time of level `index` of a grid, the ends of the process exactly.
fn time_of(log_snr: f64, index: usize, schedule: &dyn Schedule) -> Result<f64, GridError> {
    let (lowest, highest) = (schedule.log_snr(1.0), schedule.log_snr(0.0));
    let slack = if log_snr.is_finite() {
        ROUNDING * log_snr.abs().max(1.0)
    } else {
        0.0
    };
    let inside = log_snr >= lowest - slack && log_snr <= highest + slack;
    if !inside {
        return Err(GridError::OutsideSchedule {
            index,
            log_snr,
            lowest,
            highest,
        });
    }
    let time = schedule.time_at(log_snr);
    if (time - 1.0).abs() <= SAME_TIME {
        return Ok(1.0);
    }
    if time.abs() <= SAME_TIME && highest.is_finite() {
        return Ok(0.0);
    }
    Ok(time.clamp(0.0, 1.0))
}
