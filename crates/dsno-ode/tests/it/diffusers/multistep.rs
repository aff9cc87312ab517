//! Multistep DPM-Solvers, UniPC, PNDM, DEIS.

use dsno_ode::solver::{DeisVariable, PndmMidpoint, SolverType, ThirdOrder, UniPcVariant};
use dsno_ode::{
    AlgorithmType, Deis, DpmSolverMultistep, Plms, Pndm, Solver, SolverOrder, TimeGrid, UniPc,
};
use serde_json::Value;

use super::{Case, case, names, sigma_grid, state, table};
use crate::support::{assert_agree, numbers, read, values};

#[test]
fn every_multistep_dpm_solver() {
    let names = names("DPMSolverMultistepScheduler");
    assert_eq!(names.len(), 17);
    for name in names {
        let case = case(&name);
        let options = &case.options;
        let algorithm_type = match options["algorithm_type"].as_str() {
            Some("dpmsolver") => AlgorithmType::DpmSolver,
            _ => AlgorithmType::DpmSolverPlusPlus,
        };
        let solver_type = match options["solver_type"].as_str() {
            Some("heun") => SolverType::Heun,
            _ => SolverType::Midpoint,
        };
        let solver = DpmSolverMultistep {
            algorithm_type,
            solver_type,
            third_order: ThirdOrder::Halved,
            ..DpmSolverMultistep::new(AlgorithmType::DpmSolverPlusPlus, order(options))
        };
        reproduce_all(&name, &case, &solver);
    }
}

#[test]
fn every_uni_pc() {
    let names = names("UniPCMultistepScheduler");
    assert_eq!(names.len(), 9);
    for name in names {
        let case = case(&name);
        let options = &case.options;
        let solver = match options["predict_x0"].as_bool() {
            Some(false) => UniPc::new(AlgorithmType::DpmSolver, order(options)),
            _ => UniPc::new(AlgorithmType::DpmSolverPlusPlus, order(options)),
        };
        let variant = match options["solver_type"].as_str() {
            Some("bh1") => UniPcVariant::Bh1,
            _ => UniPcVariant::Bh2,
        };
        let solver = UniPc {
            variant,
            corrector: options["disable_corrector"].is_null(),
            ..solver
        };
        reproduce_all(&name, &case, &solver);
    }
}

#[test]
fn plms_whose_last_call_changes_nothing_unless_it_goes_to_one() {
    let entries: Vec<f64> = (0..10).rev().map(|i| f64::from(100 * i)).collect();
    let case_to_zero = case("plms");
    let grid = index_grid(&entries, None);
    reproduce("plms", &case_to_zero, &Plms, &grid, 10);
    assert_last_call_changes_nothing(&case_to_zero);
    let grid = index_grid(&entries, Some(0.0));
    reproduce("plms_to_one", &case("plms_to_one"), &Plms, &grid, 11);
}

#[test]
fn pndm_on_whole_entries() {
    let entries: Vec<f64> = (0..12).rev().map(|i| f64::from(83 * i)).collect();
    let case = case("pndm");
    let solver = Pndm {
        midpoint: PndmMidpoint::WholeEntries(1000),
    };
    reproduce("pndm", &case, &solver, &index_grid(&entries, None), 20);
    assert_last_call_changes_nothing(&case);
    assert_eq!(names("PNDMScheduler").len(), 3);
}

#[test]
fn deis_in_log_rho() {
    let file: Value = serde_json::from_slice(&read("deis.json")).expect("the file is JSON");
    let cases = file["cases"].as_object().expect("an object");
    assert_eq!(cases.len(), 4);
    for (name, stored) in cases {
        let states = stored["states"].as_array().expect("a list");
        let case = Case {
            options: stored["options"].clone(),
            states: states.iter().map(|one| state(&numbers(one))).collect(),
            indices: numbers(&stored["indices"]),
            sigmas: numbers(&stored["sigmas"]),
        };
        let solver = Deis::new(order(&case.options), DeisVariable::LogRho);
        reproduce_all(name, &case, &solver);
    }
}

/// Reproduces the first `calls` of a case; these schedulers round their indices to entries.
#[track_caller]
fn reproduce(name: &str, case: &Case, solver: &impl Solver, grid: &TimeGrid, calls: usize) {
    assert!(
        case.indices.iter().all(|index| index.fract() == 0.0),
        "{name}"
    );
    super::reproduce(name, case, solver, (&table(), grid), calls, 0.5);
}

/// Reproduces all calls on the scheduler's own list of `σ/α`.
#[track_caller]
fn reproduce_all(name: &str, case: &Case, solver: &impl Solver) {
    reproduce(name, case, solver, &sigma_grid(case), case.indices.len());
}

/// The published table's last entry is index 0, and a step from there to there is none.
fn assert_last_call_changes_nothing(case: &Case) {
    let [.., before, after] = &case.states[..] else {
        panic!("two states at least");
    };
    assert_agree(&values(after), &values(before), 1e-15);
}

fn order(options: &Value) -> SolverOrder {
    match options["solver_order"].as_u64() {
        Some(1) => SolverOrder::First,
        Some(2) => SolverOrder::Second,
        _ => SolverOrder::Third,
    }
}

fn index_grid(entries: &[f64], end: Option<f64>) -> TimeGrid {
    let table = table();
    let times = entries.iter().map(|&index| table.time_of(index));
    TimeGrid::from_times(times.chain(end).collect()).expect("falls")
}
