//! One interval of a solve, as a solver sees it.

use crate::{NoiseLevel, Schedule, TimeGrid};

/// The interval from time `t` to time `s < t` that a [`Solver`](crate::Solver) is to cross.
///
/// It knows both ends as times and as noise levels, the schedule between them for methods that stop
/// inside, and its place in the grid for methods that start or end at lower order.
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Step};
///
/// let schedule = CosineSchedule::default();
/// let step = Step::alone(&schedule, 0.75, 0.25);
/// assert_eq!((step.t(), step.s()), (0.75, 0.25));
/// assert!(step.is_first() && step.is_last());
/// assert!((step.inside(0.5).log_snr()).abs() < 1e-12);
/// ```
#[derive(Clone, Copy)]
pub struct Step<'a> {
    schedule: &'a dyn Schedule,
    t: f64,
    s: f64,
    from: NoiseLevel,
    to: NoiseLevel,
    index: usize,
    steps: usize,
}

impl<'a> Step<'a> {
    /// Makes step `index` (from 0) of `steps` steps, from time `t` to time `s`.
    pub fn new(schedule: &'a dyn Schedule, t: f64, s: f64, index: usize, steps: usize) -> Self {
        Self {
            schedule,
            t,
            s,
            from: schedule.at(t),
            to: schedule.at(s),
            index,
            steps,
        }
    }

    /// Makes the steps of a grid, in order.
    pub fn all(schedule: &'a dyn Schedule, grid: &TimeGrid) -> impl Iterator<Item = Self> {
        let (steps, pairs) = (grid.steps(), grid.times().windows(2).enumerate());
        pairs.map(move |(index, pair)| Self::new(schedule, pair[0], pair[1], index, steps))
    }

    /// Makes the only step of a solve.
    pub fn alone(schedule: &'a dyn Schedule, t: f64, s: f64) -> Self {
        Self::new(schedule, t, s, 0, 1)
    }

    /// Returns the time at the start, in `[0, 1]`.
    pub const fn t(&self) -> f64 {
        self.t
    }

    /// Returns the time at the end, below [`t`](Self::t).
    pub const fn s(&self) -> f64 {
        self.s
    }

    /// Returns the noise level at the start.
    pub const fn from(&self) -> NoiseLevel {
        self.from
    }

    /// Returns the noise level at the end.
    pub const fn to(&self) -> NoiseLevel {
        self.to
    }

    /// Returns the length of the step in log-amplitude ratio, `h = (λ_s − λ_t)/2`; `∞` if the end
    /// has no noise.
    pub fn log_ratio(&self) -> f64 {
        0.5 * (self.to.log_snr() - self.from.log_snr())
    }

    /// Returns the noise level at `λ_t + fraction (λ_s − λ_t)`.
    pub fn inside(&self, fraction: f64) -> NoiseLevel {
        let (a, b) = (self.from.log_snr(), self.to.log_snr());
        self.schedule.level(a + fraction * (b - a))
    }

    /// Returns the schedule.
    pub const fn schedule(&self) -> &'a dyn Schedule {
        self.schedule
    }

    /// Returns the number of the step in its grid, from 0.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns the number of steps of the grid.
    pub const fn steps(&self) -> usize {
        self.steps
    }

    /// Tells whether no step came before.
    pub const fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Tells whether no step follows.
    pub const fn is_last(&self) -> bool {
        self.index + 1 == self.steps
    }

    /// Tells whether the end of the step is a noiseless image (`σ = 0`).
    pub fn ends_without_noise(&self) -> bool {
        self.to.sigma() == 0.0
    }

    /// Returns the first part of this step, up to the time `s` inside it.
    pub(crate) fn until(&self, s: f64) -> Self {
        Self::new(self.schedule, self.t, s, self.index, self.steps)
    }

    /// Returns the step to the same end from another time.
    pub(crate) fn starting_at(&self, t: f64) -> Self {
        Self::new(self.schedule, t, self.s, self.index, self.steps)
    }
}

debug_without_closure!(Step<'_>, t, s, from, to, index, steps);
