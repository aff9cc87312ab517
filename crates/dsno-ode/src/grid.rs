//! The times that a solver visits.

use serde::{Deserialize, Serialize};

/// A strictly decreasing list of times in `[0, 1]`, from noise towards data.
///
/// A grid of `n` steps has `n + 1` times. It says nothing about noise levels (that is the
/// [`Schedule`](crate::Schedule)) nor about which states are kept (that is the `record` argument of
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
    pub fn new(kind: GridKind, steps: usize) -> Result<Self, GridError> {
        let time = |i: usize| {
            let fraction = i as f64 / steps as f64;
            match kind {
                GridKind::Uniform => fraction,
                GridKind::Quadratic => fraction * fraction,
            }
        };
        if steps == 0 {
            return Err(GridError::TooFewTimes { count: 1 });
        }
        Self::from_times((0..=steps).rev().map(time).collect())
    }

    /// Makes the grid `t = i/n`, `i = n, …, 0`, with `n = steps`.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    pub fn uniform(steps: usize) -> Result<Self, GridError> {
        Self::new(GridKind::Uniform, steps)
    }

    /// Makes the grid `t = (i/n)²`, `i = n, …, 0`, with `n = steps`: denser towards the data.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    pub fn quadratic(steps: usize) -> Result<Self, GridError> {
        Self::new(GridKind::Quadratic, steps)
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

/// Times closer than this are the same time.
pub(crate) const SAME_TIME: f64 = 1e-12;

/// How a grid of a given number of steps spreads its times.
///
/// In files the variants are written `"uniform"` and `"quadratic"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridKind {
    /// Equal steps in time: `t = i/n`.
    Uniform,
    /// Steps that shrink towards the data: `t = (i/n)²`.
    Quadratic,
}

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_exactly_noise_and_data() {
        for kind in [GridKind::Uniform, GridKind::Quadratic] {
            for steps in [1, 2, 3, 7, 512, 1000] {
                let grid = TimeGrid::new(kind, steps).expect("steps > 0");
                assert_eq!(grid.steps(), steps);
                assert_eq!((grid.times()[0], grid.times()[steps]), (1.0, 0.0));
            }
        }
    }

    #[test]
    fn the_quadratic_times_of_the_paper_lie_on_its_uniform_solver_grid() {
        let solver = TimeGrid::uniform(512).expect("steps > 0");
        let kept = TimeGrid::quadratic(4).expect("steps > 0");
        let positions: Vec<_> = kept.times().iter().map(|&t| solver.position(t)).collect();
        assert_eq!(positions, [0, 224, 384, 480, 512].map(Some));
        assert_eq!(solver.position(0.1), None);
    }

    #[test]
    fn bad_lists_are_refused_with_the_place() {
        let refused = |times: &[f64]| TimeGrid::from_times(times.to_vec()).expect_err("bad grid");
        assert_eq!(refused(&[]), GridError::TooFewTimes { count: 0 });
        assert_eq!(refused(&[1.0]), GridError::TooFewTimes { count: 1 });
        assert_eq!(
            refused(&[1.5, 0.0]),
            GridError::OutOfRange {
                index: 0,
                time: 1.5
            }
        );
        assert!(matches!(
            refused(&[1.0, f64::NAN]),
            GridError::OutOfRange { index: 1, .. }
        ));
        let repeated = GridError::NotDecreasing {
            index: 2,
            previous: 0.5,
            time: 0.5,
        };
        assert_eq!(refused(&[1.0, 0.5, 0.5]), repeated);
    }

    #[test]
    fn names_in_files_are_kebab_case() {
        assert_eq!(
            serde_json::to_string(&GridKind::Quadratic).expect("serialises"),
            "\"quadratic\""
        );
        assert!(serde_json::from_str::<GridKind>("\"quad\"").is_err());
    }
}
