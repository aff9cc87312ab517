//! Every solver of the crate that follows the flow on a grid.

use burn::tensor::Tensor;
use dsno_ode::solver::{DeisVariable, LowerOrderFinal, ThirdOrder, UniPcVariant};
use dsno_ode::{
    AlgorithmType, Ddim, Deis, Denoiser, DpmSolverMultistep, DpmSolverSinglestep, Euler, Heun,
    Plms, Pndm, Rk4, Schedule, Solution, SolveError, Solver, SolverOrder, TimeGrid, UniPc,
    planned_calls, solve,
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
    for algorithm_type in AlgorithmType::ALL {
        for order in [Second, Third] {
            all.push(Box::new(DpmSolverSinglestep::new(algorithm_type, order)));
        }
    }
    all
}

/// Returns the solvers that remember earlier steps.
pub(super) fn multistep(lower_order_final: LowerOrderFinal) -> Vec<Box<dyn OnGrid>> {
    use SolverOrder::{Second, Third};

    let mut all: Vec<Box<dyn OnGrid>> = Vec::new();
    for algorithm_type in AlgorithmType::ALL {
        for order in [Second, Third] {
            let base = DpmSolverMultistep::new(algorithm_type, order);
            all.push(Box::new(DpmSolverMultistep {
                lower_order_final,
                ..base
            }));
        }
    }
    let third_order = ThirdOrder::Halved;
    let base = DpmSolverMultistep::new(AlgorithmType::DpmSolverPlusPlus, Third);
    all.push(Box::new(DpmSolverMultistep {
        third_order,
        lower_order_final,
        ..base
    }));
    for variant in [UniPcVariant::Bh1, UniPcVariant::Bh2] {
        for order in [Second, Third] {
            let base = UniPc::new(AlgorithmType::DpmSolverPlusPlus, order);
            all.push(Box::new(UniPc {
                variant,
                lower_order_final,
                ..base
            }));
        }
    }
    for variable in [DeisVariable::LogRho, DeisVariable::Time, DeisVariable::Rho] {
        for order in [Second, Third] {
            let base = Deis::new(order, variable);
            all.push(Box::new(Deis {
                lower_order_final,
                ..base
            }));
        }
    }
    all.push(Box::new(Plms));
    all.push(Box::new(Pndm::default()));
    all
}
