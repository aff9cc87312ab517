//! The single-step DPM-Solvers: one family for both forms, three orders, free inner nodes.
//!
//! The formulas are in `update`, the inner nodes in `stages`; `plan` splits a number of model calls
//! into steps of different orders.

mod plan;
mod planned;
mod stages;
mod update;

pub use plan::SinglestepPlan;
pub use planned::DpmSolverPlanned;
use stages::Nodes;
pub use stages::Stages;
pub use update::{dpm_solver_1_step, dpm_solver_2_step, dpm_solver_3_step};

use burn::tensor::Tensor;

use super::{Form, SecondOrder, Solver, SolverOrder, StepError, predict};
use crate::{Denoiser, Step};

/// The single-step DPM-Solvers: as many model calls per step as the order, and no memory.
///
/// | order | [`Form::Noise`]             | [`Form::Data`]                    | inner levels, in `λ` |
/// |-------|-----------------------------|-----------------------------------|----------------------|
/// | 1     | DPM-Solver-1, which is DDIM | DPM-Solver++ 1S, which is DDIM    | none                 |
/// | 2     | DPM-Solver-2                | DPM-Solver++ 2S                   | 1/2                  |
/// | 3     | DPM-Solver-3                | DPM-Solver++ 3S                   | 1/3, 2/3             |
///
/// The formulas are those of [`dpm_solver_1_step`], [`dpm_solver_2_step`] and [`dpm_solver_3_step`];
/// inner states are reached by the same formulas of lower order. A step that ends without noise is
/// infinitely long in `λ`, has no inner levels and is of first order. Lu et al. 2022
/// (arXiv:2206.00927), Algorithms 1 and 2, and (arXiv:2211.01095), Algorithm 1.
///
/// # Inner nodes
///
/// [`Stages`] places the inner levels elsewhere. Published code (diffusers'
/// `DPMSolverSinglestepScheduler`) takes them at the points of the grid on which it counts calls, and
/// reaches the second of them by the midpoint formula; [`SinglestepPlan::on_grid`] does the same, to
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
/// use dsno_ode::{CosineSchedule, DpmSolverSinglestep, Form, Solver, SolverOrder, Step};
///
/// let solver = DpmSolverSinglestep::new(Form::Data, SolverOrder::Second);
/// assert_eq!(solver.name(), "dpm-solver++-2s");
/// assert_eq!(solver.calls(&Step::alone(&CosineSchedule::default(), 0.5, 0.25)), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSolverSinglestep {
    form: Form,
    rule: SecondOrder,
    stages: Stages,
}

impl DpmSolverSinglestep {
    /// Makes the published solver: inner nodes of the papers, [`SecondOrder::Midpoint`].
    pub const fn new(form: Form, order: SolverOrder) -> Self {
        Self::with_stages(form, Stages::of(order))
    }

    /// Makes the solver with inner nodes of one's own.
    pub const fn with_stages(form: Form, stages: Stages) -> Self {
        Self {
            form,
            rule: SecondOrder::Midpoint,
            stages,
        }
    }

    /// Returns the solver with another weighting of the last stage, which order 1 does not have.
    pub const fn with_rule(self, rule: SecondOrder) -> Self {
        Self { rule, ..self }
    }

    /// Returns the inner nodes.
    pub const fn stages(&self) -> Stages {
        self.stages
    }
}

impl Solver for DpmSolverSinglestep {
    type Memory = ();

    fn name(&self) -> String {
        let calls = self.stages.calls();
        let name = match self.form {
            Form::Noise => format!("dpm-solver-{calls}"),
            Form::Data => format!("dpm-solver++-{calls}s"),
        };
        let rule = match self.rule {
            SecondOrder::Heun if calls > 1 => "-heun",
            _ => "",
        };
        format!("{name}{rule}{}", self.stages.suffix())
    }

    fn order(&self) -> usize {
        self.stages.order()
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() {
            1
        } else {
            self.stages.calls()
        }
    }

    fn start(&self) {}

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        Ok((self.cross(model, z_t, step)?, ()))
    }
}

impl DpmSolverSinglestep {
    /// Takes the step, calling the model at its start and at the inner levels.
    fn cross(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
    ) -> Result<Tensor<4>, StepError> {
        let (form, rule, from, to) = (self.form, self.rule, step.from(), step.to());
        let ask = |z: &Tensor<4>, at| predict(model, z, at).map(|x_hat| form.of(x_hat, z, at));
        let m_0 = ask(&z_t, from)?;
        let nodes = self.stages.nodes();
        let (Nodes::One { r1 } | Nodes::Two { r1, .. }) = nodes else {
            return dpm_solver_1_step(form, z_t, m_0, from, to);
        };
        if step.ends_without_noise() {
            return dpm_solver_1_step(form, z_t, m_0, from, to);
        }

        let inner = step.inside(r1);
        let z_1 = dpm_solver_1_step(form, z_t.clone(), m_0.clone(), from, inner)?;
        let m_1 = ask(&z_1, inner)?;
        let Nodes::Two { r2, reached_by, .. } = nodes else {
            return dpm_solver_2_step(form, rule, z_t, &[m_0, m_1], r1, from, to);
        };

        let inner = step.inside(r2);
        let pair = &[m_0.clone(), m_1.clone()];
        let z_2 = dpm_solver_2_step(form, reached_by, z_t.clone(), pair, r1 / r2, from, inner)?;
        let m_2 = ask(&z_2, inner)?;
        dpm_solver_3_step(form, rule, z_t, &[m_0, m_1, m_2], [r1, r2], from, to)
    }
}

#[cfg(test)]
mod tests;
