use burn::tensor::Tensor;

use super::{DpmSolverSinglestep, SinglestepPlan, Stages};
use crate::{Denoiser, Form, SecondOrder, Solver, Step, StepError};

/// A single-step DPM-Solver whose order and inner nodes are planned step by step.
///
/// Solve it over the plan's own grid; other steps are refused. With [`SinglestepPlan::fast`] and
/// [`Form::Noise`] it is DPM-Solver-fast. Lu et al. 2022 (arXiv:2206.00927), appendix.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, DpmSolverPlanned, Form, SinglestepPlan, from_fn, solve};
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let schedule = CosineSchedule::default();
/// let plan = SinglestepPlan::fast(&schedule, 20, 1.0, 0.0)?;
/// let solver = DpmSolverPlanned::new(Form::Noise, plan.clone());
/// let solution = solve(&model, &solver, &schedule, plan.grid(), z_1, &[0.0])?;
/// assert_eq!(solution.model_calls, 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DpmSolverPlanned {
    form: Form,
    rule: SecondOrder,
    plan: SinglestepPlan,
}

impl DpmSolverPlanned {
    /// Makes the solver of a plan, with [`SecondOrder::Midpoint`].
    pub const fn new(form: Form, plan: SinglestepPlan) -> Self {
        Self {
            form,
            rule: SecondOrder::Midpoint,
            plan,
        }
    }

    /// Returns the solver with another weighting of the last stage.
    pub fn with_rule(self, rule: SecondOrder) -> Self {
        Self { rule, ..self }
    }

    /// Returns the plan.
    pub const fn plan(&self) -> &SinglestepPlan {
        &self.plan
    }

    /// Returns the solver of one step, if the step starts where the plan has it.
    fn solver_of(&self, step: &Step<'_>) -> Option<DpmSolverSinglestep> {
        let grid = self.plan.grid();
        let planned = step.steps() == grid.steps() && grid.position(step.t()) == Some(step.index());
        let stages = self.plan.stages().get(step.index()).filter(|_| planned)?;
        Some(DpmSolverSinglestep::with_stages(self.form, *stages).with_rule(self.rule))
    }
}

impl Solver for DpmSolverPlanned {
    type Memory = ();

    fn name(&self) -> String {
        let family = match self.form {
            Form::Noise => "dpm-solver-planned",
            Form::Data => "dpm-solver++-planned",
        };
        let rule = match self.rule {
            SecondOrder::Midpoint => "",
            SecondOrder::Heun => "-heun",
        };
        let digit = |stages: &Stages| char::from(b'0' + stages.calls() as u8);
        let orders: String = self.plan.stages().iter().map(digit).collect();
        format!("{family}{rule}({orders})")
    }

    /// The highest order of a step, or one more than the lowest if that is less: a few steps of lower
    /// order cost one order, because their errors do not add up over the grid.
    fn order(&self) -> usize {
        let orders = || self.plan.stages().iter().map(|stages| stages.order());
        let (lowest, highest) = (orders().min().unwrap_or(1), orders().max().unwrap_or(1));
        highest.min(lowest + 1)
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        self.solver_of(step).map_or(0, |solver| solver.calls(step))
    }

    fn start(&self) {}

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let solver = self.solver_of(step).ok_or(StepError::NotInPlan {
            step: step.index() + 1,
            t: step.t(),
            planned_steps: self.plan.grid().steps(),
        })?;
        solver.step(model, z_t, step, ())
    }
}
