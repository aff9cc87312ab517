use super::*;
use crate::solver::SolverType;
use crate::solver::test_multistep::multistep_laws;
use crate::test_support::assert_close;
use crate::{CosineSchedule, DpmSolverMultistep, TimeGrid, from_fn, solve};

fn all() -> Vec<Deis> {
    let orders = SolverOrder::ALL;
    let variables = [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho];
    let solvers = move |order| variables.map(|variable| Deis::new(order, variable));
    orders.into_iter().flat_map(solvers).collect()
}

multistep_laws!(noise: all());

#[test]
fn a_quadratic_noise_is_solved_exactly_in_its_own_variable() {
    let schedule = CosineSchedule::default();
    let grid = TimeGrid::from_times(vec![0.9, 0.8, 0.65, 0.55, 0.4]).expect("falls");
    for variable in [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho] {
        let value = move |log_snr: f64| match variable {
            DeisVariable::Time => CosineSchedule::default().time_at(log_snr),
            DeisVariable::Rho => rho(log_snr),
            DeisVariable::LogRho => -0.5 * log_snr,
        };
        let quadratic = move |log_snr: f64| {
            let v = value(log_snr);
            0.3 - 0.7 * v + 0.2 * v * v
        };
        let model = from_fn(move |z_t: Tensor<4>, at: crate::NoiseLevel| {
            let epsilon = z_t.ones_like() * quadratic(at.log_snr());
            crate::Prediction::Epsilon.to_x(epsilon, z_t, at)
        });
        // Two steps warm up; the rest must follow ∫ ε̂ dρ, here by fine midpoints in λ.
        let solver = Deis {
            lower_order_final: LowerOrderFinal::Never,
            ..Deis::new(SolverOrder::Third, variable)
        };
        let z_1 = crate::test_support::f64_tensor(&[0.8], [1, 1, 1, 1]);
        let solution = solve(&model, &solver, &schedule, &grid, z_1, grid.times());
        let states = solution.expect("solves").states;
        let (from, to) = (schedule.at(0.65), schedule.at(0.4));
        let (a, b) = (from.log_snr(), to.log_snr());
        let panel = |i: usize| {
            let log_snr = a + (i as f64 + 0.5) / 100_000.0 * (b - a);
            -0.5 * rho(log_snr) * quadratic(log_snr) * (b - a) / 100_000.0
        };
        let integral: f64 = (0..100_000).map(panel).sum();
        let expected = (states[2].clone() / from.alpha() + integral) * to.alpha();
        assert_close(&states[4], &expected, 1e-9);
    }
}

#[test]
fn in_log_rho_it_is_a_dpm_solver_in_noise_form() {
    let schedule = CosineSchedule::default();
    let model = from_fn(|z_t: Tensor<4>, at| (z_t * 0.8).sin() * at.alpha());
    let grid = TimeGrid::uniform(20).expect("steps > 0");
    for order in SolverOrder::ALL {
        let z_1 = crate::test_support::f64_tensor(&[0.8, -0.3], [1, 2, 1, 1]);
        let deis = Deis::new(order, DeisVariable::LogRho);
        let dpm = DpmSolverMultistep {
            solver_type: SolverType::Heun,
            ..DpmSolverMultistep::new(AlgorithmType::DpmSolver, order)
        };
        let first = solve(&model, &deis, &schedule, &grid, z_1.clone(), grid.times());
        let second = solve(&model, &dpm, &schedule, &grid, z_1, grid.times());
        let pairs = first.expect("solves").states.into_iter();
        for (a, b) in pairs.zip(second.expect("solves").states) {
            assert_close(&a, &b, 0.0);
        }
    }
}

#[test]
fn names_say_what_differs() {
    let names: std::collections::HashSet<String> = all().iter().map(Solver::name).collect();
    assert_eq!(names.len(), 9);
    assert!(names.contains("deis-2-log-rho"));
}
