use super::Stages;
use crate::{Schedule, SolverOptionError, SolverOrder, TimeGrid};

/// A number of model calls, split into single steps of up to three.
///
/// A plan is the grid of whole steps together with the [`Stages`] of each. [`DpmSolverPlanned`]
/// solves over [`grid`](Self::grid) with them.
///
/// [`DpmSolverPlanned`]: crate::DpmSolverPlanned
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, SinglestepPlan, SolverOptionError, SolverOrder};
///
/// let plan = SinglestepPlan::fast(&CosineSchedule::default(), 20, 1.0, 0.0)?;
/// assert_eq!((plan.calls(), plan.grid().steps()), (20, 7));
/// let calls: Vec<usize> = plan.stages().iter().map(|stages| stages.calls()).collect();
/// assert_eq!(calls, [3, 3, 3, 3, 3, 3, 2]);
/// # Ok::<(), SolverOptionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SinglestepPlan {
    grid: TimeGrid,
    stages: Vec<Stages>,
}

impl SinglestepPlan {
    /// Makes the plan of DPM-Solver-fast: `calls` calls between the times `from` and `to`.
    ///
    /// Steps are equally long in `λ` and of the orders of [`fast_orders`](Self::fast_orders). Lu et
    /// al. 2022 (arXiv:2206.00927), appendix on DPM-Solver-fast.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::EmptyPlan`] if `calls` is zero.
    /// * [`SolverOptionError::PlanEnds`] unless `λ` is finite at both times and larger at `to`.
    /// * [`SolverOptionError::PlanGrid`] if a time is not in `[0, 1]`.
    pub fn fast(
        schedule: &dyn Schedule,
        calls: usize,
        from: f64,
        to: f64,
    ) -> Result<Self, SolverOptionError> {
        if calls == 0 {
            return Err(SolverOptionError::EmptyPlan);
        }
        let stages: Vec<Stages> = Self::fast_orders(calls)
            .into_iter()
            .map(Stages::of)
            .collect();
        let (first, last) = (schedule.log_snr(from), schedule.log_snr(to));
        let rising = first.is_finite() && last.is_finite() && first < last;
        if !rising {
            return Err(SolverOptionError::PlanEnds {
                from: first,
                to: last,
            });
        }
        let steps = stages.len();
        let inner = (1..steps).map(|i| first + (last - first) * i as f64 / steps as f64);
        let inner = inner.map(|log_snr| schedule.time_at(log_snr));
        let times = std::iter::once(from).chain(inner).chain([to]).collect();
        let grid = grid_of(times)?;
        Ok(Self { grid, stages })
    }

    /// Returns the orders of DPM-Solver-fast for a number of calls: as many steps of order 3 as leave
    /// at least one call for a lower order at the end.
    ///
    /// ```text
    /// calls = 3n          3 × (n − 1), 2, 1
    /// calls = 3n + 1      3 × n, 1
    /// calls = 3n + 2      3 × n, 2
    /// ```
    pub fn fast_orders(calls: usize) -> Vec<SolverOrder> {
        let (thirds, end): (usize, &[SolverOrder]) = match calls % 3 {
            0 if calls == 0 => (0, &[]),
            0 => (calls / 3 - 1, &[SolverOrder::Second, SolverOrder::First]),
            1 => (calls / 3, &[SolverOrder::First]),
            _ => (calls / 3, &[SolverOrder::Second]),
        };
        let mut orders = vec![SolverOrder::Third; thirds];
        orders.extend_from_slice(end);
        orders
    }

    /// Makes the plan that calls the model at the points of `grid`.
    ///
    /// Each entry of `stages` takes as many intervals of the grid as it has calls, and has its inner
    /// nodes at the grid points between, wherever they were before. This is how published code runs
    /// these solvers on the grids of other solvers; what it costs is told at
    /// [`DpmSolverSinglestep`](crate::DpmSolverSinglestep). To give the results of diffusers'
    /// scheduler, end in order 1 and use [`Stages::with_midpoint_stage`].
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::PlanLength`] if the calls do not add up to the intervals of the grid.
    /// * [`SolverOptionError::PlanEndsWithoutNoise`] if a step with inner nodes ends at `λ = ∞`.
    /// * [`SolverOptionError::InnerNodes`] if `λ` does not grow along the grid.
    pub fn on_grid(
        schedule: &dyn Schedule,
        grid: &TimeGrid,
        stages: &[Stages],
    ) -> Result<Self, SolverOptionError> {
        let calls: usize = stages.iter().map(|stages| stages.calls()).sum();
        if calls != grid.steps() {
            return Err(SolverOptionError::PlanLength {
                calls,
                intervals: grid.steps(),
            });
        }
        let mut times = vec![grid.times()[0]];
        let mut moved = Vec::with_capacity(stages.len());
        let mut start = 0;
        for (index, stages) in stages.iter().enumerate() {
            let end = start + stages.calls();
            let inner = inner_nodes(schedule, &grid.times()[start..=end], index + 1)?;
            moved.push(stages.moved_to(inner));
            times.push(grid.times()[end]);
            start = end;
        }
        let grid = grid_of(times)?;
        Ok(Self {
            grid,
            stages: moved,
        })
    }

    /// Returns the grid of whole steps, over which the plan is solved.
    pub const fn grid(&self) -> &TimeGrid {
        &self.grid
    }

    /// Returns the stages of each step.
    pub fn stages(&self) -> &[Stages] {
        &self.stages
    }

    /// Returns the number of model calls of a solve.
    pub fn calls(&self) -> usize {
        self.stages.iter().map(|stages| stages.calls()).sum()
    }
}

fn grid_of(times: Vec<f64>) -> Result<TimeGrid, SolverOptionError> {
    TimeGrid::from_times(times).map_err(|cause| SolverOptionError::PlanGrid { cause })
}

/// Returns where the times between the ends lie in `λ`, as fractions; at most two.
fn inner_nodes(
    schedule: &dyn Schedule,
    times: &[f64],
    step: usize,
) -> Result<[f64; 2], SolverOptionError> {
    let mut nodes = [1.0; 2];
    let levels: Vec<f64> = times.iter().map(|&t| schedule.log_snr(t)).collect();
    let [first, inner @ .., last] = levels.as_slice() else {
        return Ok(nodes);
    };
    if inner.is_empty() {
        return Ok(nodes);
    }
    if last.is_infinite() {
        let calls = inner.len() + 1;
        return Err(SolverOptionError::PlanEndsWithoutNoise { step, calls });
    }
    for (node, level) in nodes.iter_mut().zip(inner) {
        *node = (level - first) / (last - first);
    }
    let [r1, r2] = nodes;
    let inside = 0.0 < r1 && r1 < r2 && (r2 < 1.0 || inner.len() == 1);
    if inside {
        Ok(nodes)
    } else {
        Err(SolverOptionError::InnerNodes { r1, r2 })
    }
}

#[cfg(test)]
mod tests;
