//! Grids on the entries of a table, as published samplers choose them.

use super::{GridError, TimeGrid};
use crate::DiscreteSchedule;

/// Which entries of a table a grid of `n` steps visits; `N` is the number of entries.
///
/// The first three are the spacings named by Lin et al. 2024 (arXiv:2305.08891); other programs know
/// them by the same names. Samplers of one step per entry (DDIM, Euler, Heun) use them as they are.
/// Multistep DPM-Solver and UniPC end one entry earlier, because the last of `n + 1` points would be
/// entry 0. Fractions are rounded half to even.
///
/// ```text
/// Leading               i ⌊N/n⌋ + offset            i = n−1, …, 0
/// Trailing              N − i N/n − 1               i = 0, …, n−1
/// Linspace              i (N−1)/(n−1)               i = n−1, …, 0;   one step starts at N−1
/// MultistepLeading      i ⌊N/(n+1)⌋ + offset        i = n, …, 1
/// MultistepLinspace     i (N−1)/n                   i = n, …, 1
/// ```
///
/// `Leading` never visits the noisiest entries, `Trailing` and `Linspace` start at the last one, where
/// the sampler's noise belongs. The usual offset is 0 for pixel models and 1 for latent diffusion.
///
/// # Examples
///
/// ```
/// use dsno_ode::{DiscreteSchedule, TimeGrid};
/// use dsno_ode::grid::TimestepSpacing;
///
/// let table = DiscreteSchedule::linear(1000, 1e-4, 0.02)?;
/// let leading = TimeGrid::on_table(TimestepSpacing::Leading { offset: 0 }, 4, &table)?;
/// assert_eq!(leading, TimeGrid::from_indices(&[750.0, 500.0, 250.0, 0.0], &table)?);
/// let trailing = TimeGrid::on_table(TimestepSpacing::Trailing, 4, &table)?;
/// assert_eq!(trailing.times(), [1.0, 0.75, 0.5, 0.25, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestepSpacing {
    /// Multiples of a whole number of entries, from entry 0 up.
    Leading {
        /// Added to every index.
        offset: usize,
    },
    /// Equal distances from the last entry down, stopping one distance before the data.
    Trailing,
    /// Equal distances from the last entry to entry 0, both visited.
    Linspace,
    /// As `Leading` with one more step, without its last entry.
    MultistepLeading {
        /// Added to every index.
        offset: usize,
    },
    /// As `Linspace` with one more step, without entry 0.
    MultistepLinspace,
}

impl TimeGrid {
    /// Makes the grid of `steps` steps that visits entries of a table and ends at `t = 0`.
    ///
    /// # Errors
    ///
    /// * [`GridError::TooFewTimes`] if `steps` is zero.
    /// * [`GridError::MoreStepsThanEntries`] if the table has too few entries.
    /// * [`GridError::OutOfRange`] if an offset leads beyond the table.
    pub fn on_table(
        spacing: TimestepSpacing,
        steps: usize,
        table: &DiscreteSchedule,
    ) -> Result<Self, GridError> {
        let entries = table.entries();
        let points = match spacing {
            TimestepSpacing::MultistepLeading { .. } | TimestepSpacing::MultistepLinspace => {
                steps + 1
            }
            _ => steps,
        };
        if points > entries {
            return Err(GridError::MoreStepsThanEntries { steps, entries });
        }
        let last = (entries - 1) as f64;
        let rounded = |value: f64| value.round_ties_even();
        let index = |i: usize| match spacing {
            TimestepSpacing::Leading { offset } | TimestepSpacing::MultistepLeading { offset } => {
                ((points - 1 - i) * (entries / points) + offset) as f64
            }
            TimestepSpacing::Trailing => {
                let distance = entries as f64 / steps as f64;
                rounded(entries as f64 - i as f64 * distance) - 1.0
            }
            TimestepSpacing::Linspace if steps == 1 => last,
            TimestepSpacing::Linspace | TimestepSpacing::MultistepLinspace => {
                rounded((points - 1 - i) as f64 * (last / (points - 1) as f64))
            }
        };
        Self::from_indices(&(0..steps).map(index).collect::<Vec<_>>(), table)
    }

    /// Makes the grid that visits the given indices of a table, falling, and ends at `t = 0`.
    ///
    /// An index may have a fraction: its level is that of
    /// [`DiscreteSchedule`] between the entries.
    ///
    /// # Errors
    ///
    /// Those of [`from_times`](Self::from_times), for the times of the indices.
    pub fn from_indices(indices: &[f64], table: &DiscreteSchedule) -> Result<Self, GridError> {
        let times = indices.iter().map(|&index| table.time_of(index));
        Self::from_times(times.chain([0.0]).collect())
    }
}
