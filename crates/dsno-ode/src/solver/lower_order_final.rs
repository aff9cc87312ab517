use serde::{Deserialize, Serialize};

use super::History;
use crate::{SolverOrder, Step};

/// Whether a multistep solver lowers its order in the last steps of a grid.
///
/// A lowered end takes step `n − 1` of `n` with order at most 2 and step `n` with order 1, which
/// published solvers do (`lower_order_final` of diffusers) because extrapolation over the long last steps of a short grid overshoots. A
/// step that ends without noise (`σ_s = 0`) is of first order whatever is chosen here, as is one that
/// starts without signal. The first steps are of lower order too, for want of a history.
///
/// What makes a last step long is its length in `λ`. On the cosine schedule with equal times, 32 steps,
/// it spans 13 nats, and the error of DPM-Solver++ on the Gaussian mixture of the tests is 0.141
/// (`2M`) and 2.56 (`3M`) at full order, as with the published rule; lowered, 0.0107 and 0.0305.
/// Choose [`Always`](Self::Always) there, or a grid in `λ`.
///
/// In files: `"full"`, `"lower-on-short-grids"`, `"lower"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::solver::LowerOrderFinal;
///
/// assert_eq!(LowerOrderFinal::default(), LowerOrderFinal::OnShortGrids);
/// assert_eq!(LowerOrderFinal::SHORT_GRID, 15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum LowerOrderFinal {
    /// Keeps the order to the end.
    #[serde(rename = "full")]
    Never,
    /// Lowers it on grids of fewer than [`SHORT_GRID`](Self::SHORT_GRID) steps: the published rule of DPM-Solver.
    #[default]
    #[serde(rename = "lower-on-short-grids")]
    OnShortGrids,
    /// Always lowers it: the published rule of UniPC.
    #[serde(rename = "lower")]
    Always,
}

impl LowerOrderFinal {
    /// A grid of fewer steps than this is short.
    pub const SHORT_GRID: usize = 15;

    /// Returns the order of a step, given the predictions at hand, that of its start included.
    pub(crate) fn of(self, step: &Step<'_>, nominal: SolverOrder, at_hand: &History) -> usize {
        if !step.log_ratio().is_finite() {
            return 1;
        }
        let lowers = match self {
            Self::Never => false,
            Self::OnShortGrids => step.steps() < Self::SHORT_GRID,
            Self::Always => true,
        };
        let left = if lowers {
            step.steps().saturating_sub(step.index()).max(1)
        } else {
            nominal.get()
        };
        nominal.get().min(at_hand.len()).min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CosineSchedule;
    use crate::test_support::f64_tensor;

    fn history(step: &Step<'_>, count: usize) -> History {
        let value = f64_tensor(&[0.0], [1, 1, 1, 1]);
        (0..count).fold(History::default(), |past, _| {
            past.with(step, value.clone(), 3)
        })
    }

    fn orders(rule: LowerOrderFinal, steps: usize) -> Vec<usize> {
        let schedule = CosineSchedule::default();
        let order = |index| {
            let step = Step::new(&schedule, 0.5, 0.4, index, steps);
            rule.of(&step, SolverOrder::Third, &history(&step, index + 1))
        };
        (0..steps).map(order).collect()
    }

    #[test]
    fn starts_low_and_ends_low_on_short_grids() {
        assert_eq!(orders(LowerOrderFinal::OnShortGrids, 6), [1, 2, 3, 3, 2, 1]);
        assert_eq!(orders(LowerOrderFinal::OnShortGrids, 14)[11..], [3, 2, 1]);
        assert_eq!(orders(LowerOrderFinal::OnShortGrids, 15)[12..], [3, 3, 3]);
        assert_eq!(orders(LowerOrderFinal::Never, 6), [1, 2, 3, 3, 3, 3]);
        assert_eq!(orders(LowerOrderFinal::Always, 20)[17..], [3, 2, 1]);
        assert_eq!(orders(LowerOrderFinal::Always, 1), [1]);
    }

    #[test]
    fn is_first_order_where_the_noise_ends() {
        let schedule = crate::LinearBetaSchedule::default();
        let step = Step::new(&schedule, 0.1, 0.0, 19, 20);
        let order = LowerOrderFinal::Never.of(&step, SolverOrder::Third, &history(&step, 3));
        assert_eq!(order, 1);
    }
}
