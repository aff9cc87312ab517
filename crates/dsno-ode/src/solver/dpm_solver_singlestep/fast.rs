use burn::tensor::Tensor;

use super::{DpmSolverSinglestep, SinglestepNodes};
use crate::solver::{
    AlgorithmType, SolverOptionError, SolverOrder, SolverType, StepError, Stepped,
};
use crate::{Denoiser, Schedule, Solver, Step, TimeGrid};

/// DPM-Solver-fast: a number of model calls, split into single steps of up to three.
///
/// The solver comes with its [`grid`](Self::grid) and has the [`SinglestepNodes`] of each of its steps;
/// steps of other grids are refused. Lu et al. 2022 (arXiv:2206.00927), appendix on DPM-Solver-fast.
/// diffusers' `DPMSolverSinglestepScheduler` is [`on_grid`](Self::on_grid).
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{AlgorithmType, CosineSchedule, DpmSolverFast, from_fn, solve};
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let schedule = CosineSchedule::default();
/// let solver = DpmSolverFast::new(AlgorithmType::DpmSolver, &schedule, 20, 1.0, 0.0)?;
/// let calls: Vec<usize> = solver.nodes().iter().map(|nodes| nodes.calls()).collect();
/// assert_eq!(calls, [3, 3, 3, 3, 3, 3, 2]);
///
/// let solution = solve(&model, &solver, &schedule, solver.grid(), z_1, &[0.0])?;
/// assert_eq!((solution.model_calls, solution.steps.len()), (20, 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DpmSolverFast {
    /// Which prediction is interpolated.
    pub algorithm_type: AlgorithmType,
    /// How the last stage of a step is weighted.
    pub solver_type: SolverType,
    grid: TimeGrid,
    nodes: Vec<SinglestepNodes>,
}

impl DpmSolverFast {
    /// Makes the solver of `calls` model calls between the times `from` and `to`.
    ///
    /// Steps are equally long in `λ` and of the orders of [`orders`](Self::orders), with
    /// [`SolverType::Midpoint`].
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::EmptyPlan`] if `calls` is zero.
    /// * [`SolverOptionError::PlanEnds`] unless `λ` is finite at both times and larger at `to`.
    /// * [`SolverOptionError::PlanGrid`] if a time is not in `[0, 1]`.
    pub fn new(
        algorithm_type: AlgorithmType,
        schedule: &dyn Schedule,
        calls: usize,
        from: f64,
        to: f64,
    ) -> Result<Self, SolverOptionError> {
        if calls == 0 {
            return Err(SolverOptionError::EmptyPlan);
        }
        let (first, last) = (schedule.log_snr(from), schedule.log_snr(to));
        let rising = first.is_finite() && last.is_finite() && first < last;
        if !rising {
            return Err(SolverOptionError::PlanEnds {
                from: first,
                to: last,
            });
        }
        let orders = Self::orders(calls).into_iter();
        let nodes: Vec<_> = orders.map(SinglestepNodes::of).collect();
        let steps = nodes.len();
        let inner = (1..steps).map(|i| first + (last - first) * i as f64 / steps as f64);
        let inner = inner.map(|log_snr| schedule.time_at(log_snr));
        let times = std::iter::once(from).chain(inner).chain([to]).collect();
        Self::of(algorithm_type, times, nodes)
    }

    /// Returns the orders of DPM-Solver-fast for a number of calls: as many steps of order 3 as leave
    /// at least one call for a lower order at the end.
    ///
    /// ```text
    /// calls = 3n          3 × (n − 1), 2, 1
    /// calls = 3n + 1      3 × n, 1
    /// calls = 3n + 2      3 × n, 2
    /// ```
    pub fn orders(calls: usize) -> Vec<SolverOrder> {
        use SolverOrder::{First, Second, Third};
        let (thirds, end): (usize, &[SolverOrder]) = match calls % 3 {
            0 if calls == 0 => (0, &[]),
            0 => (calls / 3 - 1, &[Second, First]),
            1 => (calls / 3, &[First]),
            _ => (calls / 3, &[Second]),
        };
        [vec![Third; thirds].as_slice(), end].concat()
    }

    /// Makes the solver that calls the model at the points of `grid`.
    ///
    /// Each entry of `nodes` takes as many intervals of the grid as it has calls, and has its nodes at
    /// the grid points between, wherever they were before. This is how published code runs these
    /// solvers on the grids of other solvers; [`DpmSolverSinglestep`](crate::DpmSolverSinglestep)
    /// says what it costs. To give the results of diffusers' scheduler, end in order 1 and use
    /// [`SinglestepNodes::with_midpoint_stage`].
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::PlanLength`] if the calls do not add up to the intervals of the grid.
    /// * [`SolverOptionError::PlanEndsWithoutNoise`] if a step with inner nodes ends at `λ = ∞`.
    /// * [`SolverOptionError::InnerNodes`] if `λ` does not grow along the grid.
    pub fn on_grid(
        algorithm_type: AlgorithmType,
        schedule: &dyn Schedule,
        grid: &TimeGrid,
        nodes: &[SinglestepNodes],
    ) -> Result<Self, SolverOptionError> {
        let (calls, intervals) = (sum_of_calls(nodes), grid.steps());
        if calls != intervals {
            return Err(SolverOptionError::PlanLength { calls, intervals });
        }
        let levels: Vec<f64> = grid.times().iter().map(|&t| schedule.log_snr(t)).collect();
        let (mut times, mut moved, mut start) = (vec![grid.times()[0]], Vec::new(), 0);
        for (index, nodes) in nodes.iter().enumerate() {
            let (step, calls) = (index + 1, nodes.calls());
            let end = start + calls;
            if calls > 1 && levels[end].is_infinite() {
                return Err(SolverOptionError::PlanEndsWithoutNoise { step, calls });
            }
            let fraction = |i: usize| (levels[i] - levels[start]) / (levels[end] - levels[start]);
            let inner = [1, 2].map(|i| if i < calls { fraction(start + i) } else { 1.0 });
            moved.push(nodes.moved_to(inner)?);
            times.push(grid.times()[end]);
            start = end;
        }
        Self::of(algorithm_type, times, moved)
    }

    fn of(
        algorithm_type: AlgorithmType,
        times: Vec<f64>,
        nodes: Vec<SinglestepNodes>,
    ) -> Result<Self, SolverOptionError> {
        let grid = TimeGrid::from_times(times);
        let grid = grid.map_err(|cause| SolverOptionError::PlanGrid { cause })?;
        Ok(Self {
            algorithm_type,
            solver_type: SolverType::Midpoint,
            grid,
            nodes,
        })
    }

    /// Returns the grid of whole steps, over which the solver walks.
    pub const fn grid(&self) -> &TimeGrid {
        &self.grid
    }

    /// Returns the nodes of each step.
    pub fn nodes(&self) -> &[SinglestepNodes] {
        &self.nodes
    }

    /// Returns the number of model calls of a solve.
    pub fn model_calls(&self) -> usize {
        sum_of_calls(&self.nodes)
    }

    /// Returns the solver of one step, if it is a step of this grid.
    fn solver_of(&self, step: &Step<'_>) -> Result<DpmSolverSinglestep, StepError> {
        let grid = &self.grid;
        let planned = step.steps() == grid.steps() && grid.position(step.t()) == Some(step.index());
        match self.nodes.get(step.index()) {
            Some(&nodes) if planned => Ok(DpmSolverSinglestep {
                algorithm_type: self.algorithm_type,
                solver_type: self.solver_type,
                nodes,
            }),
            _ => Err(StepError::NotInPlan {
                step: step.index() + 1,
                t: step.t(),
                planned_steps: grid.steps(),
            }),
        }
    }
}

fn sum_of_calls(nodes: &[SinglestepNodes]) -> usize {
    nodes.iter().map(|nodes| nodes.calls()).sum()
}

impl Solver for DpmSolverFast {
    type Memory = ();

    fn name(&self) -> String {
        let family = self.algorithm_type.family();
        let solver_type = match self.solver_type {
            SolverType::Midpoint => "",
            SolverType::Heun => "-heun",
        };
        let orders = self.nodes.iter().map(|nodes| nodes.calls().to_string());
        let orders = orders.collect::<String>();
        format!("{family}-planned{solver_type}({orders})")
    }

    /// The highest order of a step, or one more than the lowest if that is less: a few steps of lower
    /// order cost one order, because their errors do not add up over the grid.
    fn order(&self) -> usize {
        let orders = || self.nodes.iter().map(|nodes| nodes.order());
        let (lowest, highest) = (orders().min().unwrap_or(1), orders().max().unwrap_or(1));
        highest.min(lowest + 1)
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        self.solver_of(step).map_or(0, |solver| solver.calls(step))
    }

    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>, (): ()) -> Stepped<()> {
        self.solver_of(step)?.step(model, z_t, step, ())
    }
}

#[cfg(test)]
mod tests;
