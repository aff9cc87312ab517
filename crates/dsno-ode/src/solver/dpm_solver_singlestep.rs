//! The single-step DPM-Solvers: one family for both algorithms, three orders, free inner nodes.
//!
//! The formulas are in `formula`, the inner nodes in `nodes`; `fast` splits a number of model calls into
//! steps of different orders.

mod fast;
mod formula;
mod nodes;

pub use fast::DpmSolverFast;
pub use formula::dpm_solver_step;
pub use nodes::SinglestepNodes;

use burn::tensor::Tensor;

use super::{AlgorithmType, Solver, SolverOrder, SolverType, StepError};
use crate::{Denoiser, Step};

/// The single-step DPM-Solvers: as many model calls per step as the order, and no memory.
///
/// | order | [`AlgorithmType::DpmSolver`] | [`AlgorithmType::DpmSolverPlusPlus`] | inner levels, in `λ` |
/// |-------|-----------------------------|-----------------------------------|----------------------|
/// | 1     | DPM-Solver-1, which is DDIM | DPM-Solver++ 1S, which is DDIM    | none                 |
/// | 2     | DPM-Solver-2                | DPM-Solver++ 2S                   | 1/2                  |
/// | 3     | DPM-Solver-3                | DPM-Solver++ 3S                   | 1/3, 2/3             |
///
/// The formulas are those of [`dpm_solver_step`]; inner states are reached by the same formulas of
/// lower order. A step that ends without noise is
/// infinitely long in `λ`, has no inner levels and is of first order. Lu et al. 2022
/// (arXiv:2206.00927), Algorithms 1 and 2, and (arXiv:2211.01095), Algorithm 1.
///
/// # Inner nodes
///
/// [`SinglestepNodes`] places the inner levels elsewhere. Published code (diffusers'
/// `DPMSolverSinglestepScheduler`) takes them at the points of the grid on which it counts calls, and
/// reaches the second of them by the midpoint formula; [`DpmSolverFast::on_grid`] does the same, to
/// the last digit. It is rarely a good idea: order 3 needs the second node at exactly 2/3, so
/// grid nodes cost an order wherever the grid is not uniform in `λ`, and the noise form becomes
/// unstable where steps in `λ` shrink quickly. Largest error at `t = 0` on a Gaussian mixture in the
/// plane, cosine schedule, `λ` from −20 to 20, grid uniform in `t`, 30 and 120 calls:
///
/// | solver          | nodes of the paper, 30 | of the grid, 30 | of the paper, 120 | of the grid, 120 |
/// |-----------------|------------------------|-----------------|-------------------|------------------|
/// | DPM-Solver++ 2S | 0.038                  | 0.083           | 0.0033            | 0.0046           |
/// | DPM-Solver++ 3S | 0.049                  | 0.28            | 0.0034            | 0.019            |
/// | DPM-Solver-2    | 0.044                  | 2.7             | 0.0035            | 0.14             |
/// | DPM-Solver-3    | 0.13                   | 1.2e3           | 0.0071            | 7.3              |
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, DpmSolverSinglestep, AlgorithmType, Solver, SolverOrder, Step};
///
/// let solver = DpmSolverSinglestep::new(AlgorithmType::DpmSolverPlusPlus, SolverOrder::Second);
/// assert_eq!(solver.name(), "dpm-solver++-2s");
/// assert_eq!(solver.calls(&Step::alone(&CosineSchedule::default(), 0.5, 0.25)), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSolverSinglestep {
    /// Which prediction is interpolated.
    pub algorithm_type: AlgorithmType,
    /// How the last stage is weighted, which order 1 does not have.
    pub solver_type: SolverType,
    /// The number of model calls per step and their levels.
    pub nodes: SinglestepNodes,
}

impl DpmSolverSinglestep {
    /// Makes the published solver: inner nodes of the papers, [`SolverType::Midpoint`].
    pub const fn new(algorithm_type: AlgorithmType, order: SolverOrder) -> Self {
        let nodes = SinglestepNodes::of(order);
        Self {
            algorithm_type,
            solver_type: SolverType::Midpoint,
            nodes,
        }
    }
}

impl Solver for DpmSolverSinglestep {
    type Memory = ();

    fn name(&self) -> String {
        let (family, calls) = (self.algorithm_type.family(), self.nodes.calls());
        let single = match self.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => "s",
            AlgorithmType::DpmSolver => "",
        };
        let solver_type = match self.solver_type {
            SolverType::Heun if calls > 1 => "-heun",
            _ => "",
        };
        format!(
            "{family}-{calls}{single}{solver_type}{}",
            self.nodes.suffix()
        )
    }

    fn order(&self) -> usize {
        self.nodes.order()
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() {
            1
        } else {
            self.nodes.calls()
        }
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let (from, to, algorithm_type) = (step.from(), step.to(), self.algorithm_type);
        let (nodes, reached_by) = self.nodes.inner();
        let nodes = if step.ends_without_noise() {
            &[]
        } else {
            nodes
        };
        let mut predictions = vec![algorithm_type.predict(model, &z_t, from)?];
        for (i, &node) in nodes.iter().enumerate() {
            let inner = step.inside(node);
            let positions: Vec<f64> = nodes[..i].iter().map(|earlier| earlier / node).collect();
            let z = z_t.clone();
            let z = dpm_solver_step(
                algorithm_type,
                reached_by,
                z,
                &predictions,
                &positions,
                from,
                inner,
            )?;
            predictions.push(algorithm_type.predict(model, &z, inner)?);
        }
        let solver_type = self.solver_type;
        let z_s = dpm_solver_step(
            algorithm_type,
            solver_type,
            z_t,
            &predictions,
            nodes,
            from,
            to,
        )?;
        Ok((z_s, ()))
    }
}

#[cfg(test)]
mod tests;
