//! Multistep DPM-Solvers, UniPC, PNDM, DEIS.
//!
//! diffusers' scheduler takes the model's answer at the state of each call, so its states, those
//! inside a step included, are the inputs of the model, and the last is the solution.

use std::cell::RefCell;

use burn::tensor::Tensor;
use dsno_ode::{
    Deis, DeisVariable, Denoiser, DpmMultistep, Form, Middle, NoiseLevel, Plms, Pndm, Prediction,
    Schedule, SecondOrder, Solver, SolverOrder, StepFunction, ThirdOrder, TimeGrid, UniPc, solve,
};
use serde_json::Value;

use super::{Case, META, SAME_ALGORITHM, Toy, case, read, state, table};
use crate::support::{assert_agree, numbers, values};

#[test]
fn every_multistep_dpm_solver() {
    let names = names("DPMSolverMultistepScheduler");
    assert_eq!(names.len(), 17);
    for name in names {
        let case = case(&name);
        let options = &case.options;
        let form = match options["algorithm_type"].as_str() {
            Some("dpmsolver") => Form::Noise,
            _ => Form::Data,
        };
        let second_order = match options["solver_type"].as_str() {
            Some("heun") => SecondOrder::Heun,
            _ => SecondOrder::Midpoint,
        };
        let solver = DpmMultistep {
            form,
            second_order,
            third_order: ThirdOrder::Halved,
            ..DpmMultistep::data(order(options))
        };
        reproduce(
            &name,
            &case,
            &solver,
            &sigma_grid(&case),
            case.indices.len(),
        );
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
            Some(false) => UniPc::noise(order(options)),
            _ => UniPc::data(order(options)),
        };
        let step_function = match options["solver_type"].as_str() {
            Some("bh1") => StepFunction::Bh1,
            _ => StepFunction::Bh2,
        };
        let solver = UniPc {
            step_function,
            corrector: options["disable_corrector"].is_null(),
            ..solver
        };
        reproduce(
            &name,
            &case,
            &solver,
            &sigma_grid(&case),
            case.indices.len(),
        );
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
        middle: Middle::WholeEntries(1000),
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
        reproduce(name, &case, &solver, &sigma_grid(&case), case.indices.len());
    }
}

/// Solves and compares the state of every call, the index told there, and the last state.
#[track_caller]
fn reproduce(name: &str, case: &Case, solver: &impl Solver, grid: &TimeGrid, calls: usize) {
    let prediction = match case.options["prediction_type"].as_str() {
        Some("sample") => Prediction::X,
        Some("v_prediction") => Prediction::V,
        _ => Prediction::Epsilon,
    };
    let model = Listening {
        model: Toy {
            prediction,
            table: table(),
            rounded: true,
        },
        heard: RefCell::default(),
    };
    let start = case.states[0].clone();
    let solution = solve(
        &model,
        solver,
        &table(),
        grid,
        start,
        &[grid.times()[grid.steps()]],
    );
    let solution = solution.expect("solves");
    let heard = model.heard.into_inner();
    assert_eq!(
        (solution.model_calls, heard.len()),
        (calls, calls),
        "{name}"
    );
    for (call, (z_t, index)) in heard.iter().enumerate() {
        assert_eq!(*index, case.indices[call], "{name}, call {call}");
        assert_agree(&values(z_t), &values(&case.states[call]), SAME_ALGORITHM);
    }
    let end = values(&solution.states[0]);
    assert_agree(&end, &values(&case.states[calls]), SAME_ALGORITHM);
}

/// The toy model, keeping what it was asked.
struct Listening {
    model: Toy,
    heard: RefCell<Vec<(Tensor<4>, f64)>>,
}

impl Denoiser for Listening {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let index = self.model.table.index_at(at.log_snr()).round();
        self.heard.borrow_mut().push((z_t.clone(), index));
        self.model.denoise(z_t, at)
    }
}

/// The published table's last entry is index 0, and a step from there to there is none.
fn assert_last_call_changes_nothing(case: &Case) {
    let [.., before, after] = &case.states[..] else {
        panic!("two states at least");
    };
    assert_agree(&values(after), &values(before), 1e-15);
}

/// Returns the names of all cases that a scheduler made.
fn names(scheduler: &str) -> Vec<String> {
    let cases = META["cases"].as_object().expect("an object");
    let made = cases
        .iter()
        .filter(|(_, case)| case["scheduler"] == scheduler);
    made.map(|(name, _)| name.clone()).collect()
}

fn order(options: &Value) -> SolverOrder {
    match options["solver_order"].as_u64() {
        Some(1) => SolverOrder::First,
        Some(2) => SolverOrder::Second,
        _ => SolverOrder::Third,
    }
}

/// The times of the scheduler's own list of `σ/α`, whose last may be 0.
fn sigma_grid(case: &Case) -> TimeGrid {
    let time = |&sigma: &f64| table().time_at(-2.0 * sigma.ln()).min(1.0);
    TimeGrid::from_times(case.sigmas.iter().map(time).collect()).expect("falls")
}

fn index_grid(entries: &[f64], end: Option<f64>) -> TimeGrid {
    let table = table();
    let times = entries.iter().map(|&index| table.time_of(index));
    TimeGrid::from_times(times.chain(end).collect()).expect("falls")
}
