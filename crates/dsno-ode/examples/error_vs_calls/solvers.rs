//! Every solver of the crate that follows the flow on a grid.

use burn::tensor::Tensor;
use dsno_ode::{
    Ddim, Deis, DeisVariable, Denoiser, DpmMultistep, DpmSolverSinglestep, Euler, FinalOrder, Form,
    Heun, Plms, Pndm, Rk4, Schedule, Solution, SolveError, Solver, SolverOrder, StepFunction,
    ThirdOrder, TimeGrid, UniPc, planned_calls, solve,
};

/// A solver without the type of its memory.
pub(super) trait OnGrid {
    fn name(&self) -> String;

    fn order(&self) -> usize;

    fn calls(&self, schedule: &dyn Schedule, grid: &TimeGrid) -> Result<usize, SolveError>;

    fn sample(
        &self,
        model: &dyn Denoiser,
        schedule: &dyn Schedule,
        grid: &TimeGrid,
        z_1: Tensor<4>,
    ) -> Result<Solution, SolveError>;
}

impl<S: Solver> OnGrid for S {
    fn name(&self) -> String {
        Solver::name(self)
    }

    fn order(&self) -> usize {
        Solver::order(self)
    }

    fn calls(&self, schedule: &dyn Schedule, grid: &TimeGrid) -> Result<usize, SolveError> {
        planned_calls(self, schedule, grid, &[])
    }

    fn sample(
        &self,
        model: &dyn Denoiser,
        schedule: &dyn Schedule,
        grid: &TimeGrid,
        z_1: Tensor<4>,
    ) -> Result<Solution, SolveError> {
        let end = grid.times()[grid.steps()];
        solve(model, self, schedule, grid, z_1, &[end])
    }
}

/// Returns the solvers that remember nothing.
pub(super) fn one_step() -> Vec<Box<dyn OnGrid>> {
    use SolverOrder::{Second, Third};

    let mut all: Vec<Box<dyn OnGrid>> = vec![
        Box::new(Ddim),
        Box::new(Euler),
        Box::new(Heun),
        Box::new(Rk4),
    ];
    for form in [Form::Data, Form::Noise] {
        for order in [Second, Third] {
            all.push(Box::new(DpmSolverSinglestep::new(form, order)));
        }
    }
    all
}

/// Returns the solvers that remember earlier steps.
pub(super) fn multistep(final_order: FinalOrder) -> Vec<Box<dyn OnGrid>> {
    use SolverOrder::{Second, Third};

    let mut all: Vec<Box<dyn OnGrid>> = Vec::new();
    for form in [Form::Data, Form::Noise] {
        for order in [Second, Third] {
            let base = DpmMultistep::data(order);
            all.push(Box::new(DpmMultistep {
                form,
                final_order,
                ..base
            }));
        }
    }
    let third_order = ThirdOrder::Halved;
    let base = DpmMultistep::data(Third);
    all.push(Box::new(DpmMultistep {
        third_order,
        final_order,
        ..base
    }));
    for step_function in [StepFunction::Bh1, StepFunction::Bh2] {
        for order in [Second, Third] {
            let base = UniPc::data(order);
            all.push(Box::new(UniPc {
                step_function,
                final_order,
                ..base
            }));
        }
    }
    for variable in [DeisVariable::LogRho, DeisVariable::Time, DeisVariable::Rho] {
        for order in [Second, Third] {
            let base = Deis::new(order, variable);
            all.push(Box::new(Deis {
                final_order,
                ..base
            }));
        }
    }
    all.push(Box::new(Plms));
    all.push(Box::new(Pndm::default()));
    all
}
