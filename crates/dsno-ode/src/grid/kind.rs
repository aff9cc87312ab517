use std::fmt;

use serde::{Deserialize, Serialize};

/// How a grid of a given number of steps spreads its times.
///
/// ```text
/// uniform      t = i/n                                        i = n, …, 0
/// quadratic    t = (i/n)²
/// log-snr      λ in equal steps
/// karras       (σ/α)^(1/ρ) in equal steps, ρ = 7
/// ```
///
/// All run from `t = 1` to `t = 0`. The last two space noise levels and so depend on the schedule,
/// whose ends may have an absurd level or none: `λ(0)` is infinite without noise, and at `λ = ±20`
/// there is nothing to solve. They therefore space their inner levels over
///
/// ```text
/// from max(λ(1), −2 ln 80)  to  min(λ(0), −2 ln 0.002)       σ/α from 80 to 0.002
/// ```
///
/// and put the ends of the process in place of the limits: the first time is `t = 1` itself, and if
/// `λ(0)` lies beyond the upper limit, the last of the `n` steps goes from that limit to `t = 0`.
/// 80, 0.002 and `ρ = 7` are the values of Karras et al. 2022 (arXiv:2206.00364), whose grid for
/// their schedule this is.
///
/// In files the variants are written `"uniform"`, `"quadratic"`, `"log-snr"` and `"karras"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::{EdmSchedule, GridKind, Schedule, TimeGrid};
///
/// let schedule = EdmSchedule::default();
/// let grid = TimeGrid::new(GridKind::Karras, 18, &schedule)?;
/// let sigmas: Vec<f64> = grid.times().iter().map(|&t| schedule.at(t).sigma()).collect();
/// assert!((sigmas[0] - 80.0).abs() < 1e-12 && (sigmas[17] - 0.002).abs() < 1e-12);
/// assert_eq!(sigmas[18], 0.0);
/// # Ok::<(), dsno_ode::GridError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GridKind {
    /// Equal steps in time: `t = i/n`.
    Uniform,
    /// Steps that shrink towards the data: `t = (i/n)²`.
    Quadratic,
    /// Equal steps in `λ`.
    LogSnr,
    /// Equal steps in the seventh root of `σ/α`.
    Karras,
}

impl GridKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Uniform, Self::Quadratic, Self::LogSnr, Self::Karras];

    /// Returns the name by which files and flags call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Quadratic => "quadratic",
            Self::LogSnr => "log-snr",
            Self::Karras => "karras",
        }
    }
}

impl fmt::Display for GridKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
