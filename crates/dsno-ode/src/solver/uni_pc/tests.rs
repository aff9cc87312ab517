use super::*;
use crate::solver::test_multistep::multistep_laws;
use crate::test_support::{assert_close, f64_tensor};
use crate::{CosineSchedule, from_fn};

fn all(algorithm_type: AlgorithmType) -> Vec<UniPc> {
    let mut solvers = Vec::new();
    for order in SolverOrder::ALL {
        for variant in [UniPcVariant::Bh1, UniPcVariant::Bh2] {
            for corrector in [false, true] {
                let solver = UniPc::new(algorithm_type, order);
                solvers.push(UniPc {
                    variant,
                    corrector,
                    ..solver
                });
            }
        }
    }
    solvers
}

multistep_laws!(
    noise: all(AlgorithmType::DpmSolver),
    data: all(AlgorithmType::DpmSolverPlusPlus)
);

#[test]
fn a_step_that_ends_without_noise_is_the_prediction_itself() {
    let schedule = crate::LinearBetaSchedule::default();
    let x_hat = f64_tensor(&[0.4, -0.9], [1, 2, 1, 1]);
    let model = from_fn(|_, _| x_hat.clone());
    for solver in all(AlgorithmType::DpmSolverPlusPlus) {
        let z_t = f64_tensor(&[1.0, 2.0], [1, 2, 1, 1]);
        let step = Step::new(&schedule, 0.2, 0.1, 0, 2);
        let (z_s, memory) = solver
            .step(&model, z_t, &step, solver.start())
            .expect("a step");
        let step = Step::new(&schedule, 0.1, 0.0, 1, 2);
        let (end, _) = solver.step(&model, z_s, &step, memory).expect("a step");
        assert_close(&end, &x_hat, 0.0);
    }
}

#[test]
fn the_first_corrector_is_the_trapezoid_in_the_predictions() {
    // UniC-1 with B₂: the average of the predictions at both ends, held over the step.
    let schedule = CosineSchedule::default();
    let model = from_fn(|z_t: Tensor<4>, _| z_t * 0.5);
    let solver = UniPc::new(AlgorithmType::DpmSolverPlusPlus, SolverOrder::First);
    let z_t = f64_tensor(&[1.0], [1, 1, 1, 1]);
    let step = Step::new(&schedule, 0.5, 0.4, 0, 2);
    let (z_s, memory) = solver
        .step(&model, z_t.clone(), &step, solver.start())
        .expect("a step");
    let next = Step::new(&schedule, 0.4, 0.3, 1, 2);
    let (_, memory) = solver
        .step(&model, z_s.clone(), &next, memory)
        .expect("a step");
    let average = (z_t.clone() + z_s) * 0.25;
    let expected = crate::solver::ddim_step(z_t, average, step.from(), step.to()).expect("a step");
    let corrected = memory.last.expect("a step was taken").state;
    assert_close(&corrected, &expected, 1e-15);
}

#[test]
fn names_say_what_differs() {
    let names: Vec<String> = all(AlgorithmType::DpmSolver)
        .iter()
        .map(Solver::name)
        .collect();
    assert_eq!(names[0], "unip-1-bh1-noise");
    assert_eq!(names[11], "unipc-3-bh2-noise");
    let unique: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(unique.len(), 12);
}
