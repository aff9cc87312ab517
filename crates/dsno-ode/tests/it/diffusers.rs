//! Every golden trajectory of diffusers' schedulers, see `tests/golden/README.md`.

use std::cell::RefCell;
use std::sync::LazyLock;

use burn::tensor::Tensor;
use dsno_ode::{
    Denoiser, DiscreteSchedule, NoiseLevel, Prediction, Schedule, Solver, TimeGrid, solve,
};
use serde_json::Value;

use crate::support::{assert_agree, read, stored, tensor, values};

/// Relative to the larger of 1 and the value: both sides run the same algorithm in f64, with the
/// published table computed in another order.
pub(crate) const SAME_ALGORITHM: f64 = 1e-9;

/// One trajectory and how it was made.
pub(crate) struct Case {
    /// Options of the scheduler.
    pub(crate) options: Value,
    /// State before the first and after every call, `[2, 3, 2, 2]` each.
    pub(crate) states: Vec<Tensor<4>>,
    /// The index that the model was called with each time.
    pub(crate) indices: Vec<f64>,
    /// `σ/α` of each step where the scheduler keeps such a list, else empty.
    pub(crate) sigmas: Vec<f64>,
}

/// Loads a trajectory by its name.
pub(crate) fn case(name: &str) -> Case {
    let read = |key: &str| stored(&FILE, &format!("{name}.{key}"));
    Case {
        options: META["cases"][name]["options"].clone(),
        states: read("x").expect("states").chunks(24).map(state).collect(),
        indices: read("t").expect("indices"),
        sigmas: read("sigmas").unwrap_or_default(),
    }
}

/// Returns the table on which all cases were made.
pub(crate) fn table() -> DiscreteSchedule {
    DiscreteSchedule::linear(1000, 1e-4, 0.02).expect("a valid table")
}

/// The fixed model of all cases, whose output is read as `prediction`; conditioned on an index as
/// published networks are.
pub(crate) struct Toy {
    pub(crate) prediction: Prediction,
    pub(crate) table: DiscreteSchedule,
    /// Whether the index is rounded to an entry, as schedulers that keep integer times do.
    pub(crate) rounded: bool,
}

impl Denoiser for Toy {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let z_t = z_t / at.scale();
        let index = self.table.index_at(at.log_snr());
        let index = if self.rounded { index.round() } else { index };
        let output = toy(z_t.clone(), index);
        let at = NoiseLevel::from_log_snr(at.log_snr());
        self.prediction.to_x(output, z_t, at)
    }
}

/// The formula of the toy model: state in variance-preserving units, index in the table.
pub(crate) fn toy(z: Tensor<4>, index: f64) -> Tensor<4> {
    let tau = (index + 1.0) / 1000.0;
    let variance = -(-(0.1 * tau + 9.95 * tau * tau)).exp_m1();
    let gain = variance.sqrt() / (0.25 * (1.0 - variance) + variance);
    z.clone() * gain + (z * 3.0 + index / 100.0).sin() * 0.1
}

/// Solves and compares the state at every call, the index of the call, and the last state.
///
/// diffusers' schedulers take the model's output at the state of each call, so a scheduler's states,
/// those inside a step included, are the inputs of the model, and the last is the solution. A scheduler
/// may end with calls that change nothing: only the first `calls` are compared. Its indices may be off
/// by `off` from those of the levels.
#[track_caller]
fn reproduce(
    name: &str,
    case: &Case,
    solver: &impl Solver,
    (schedule, grid): (&dyn Schedule, &TimeGrid),
    calls: usize,
    off: f64,
) {
    let rounded = case.indices.iter().all(|index| index.fract() == 0.0);
    let model = Listening {
        model: Toy {
            prediction: case.prediction(),
            table: table(),
            rounded,
        },
        heard: RefCell::default(),
    };
    let end = grid.times()[grid.steps()];
    let solution = solve(
        &model,
        solver,
        schedule,
        grid,
        case.states[0].clone(),
        &[end],
    );
    let solution = solution.expect("solves");
    let heard = model.heard.into_inner();
    assert_eq!(
        (solution.model_calls, heard.len()),
        (calls, calls),
        "{name}"
    );
    for (call, (z_t, index)) in heard.iter().enumerate() {
        let expected = case.indices[call];
        assert!(
            (index - expected).abs() <= off,
            "{name}, call {call}: {index}, not {expected}"
        );
        assert_agree(&values(z_t), &values(&case.states[call]), SAME_ALGORITHM);
    }
    let end = values(&solution.states[0]);
    assert_agree(&end, &values(&case.states[calls]), SAME_ALGORITHM);
}

impl Case {
    /// What the scheduler takes the model's output for.
    fn prediction(&self) -> Prediction {
        match self.options["prediction_type"].as_str() {
            Some("sample") => Prediction::X,
            Some("v_prediction") => Prediction::V,
            _ => Prediction::Epsilon,
        }
    }
}

/// The toy model, keeping the states and the indices that it was called with.
struct Listening {
    model: Toy,
    heard: RefCell<Vec<(Tensor<4>, f64)>>,
}

impl Denoiser for Listening {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let index = self.model.table.index_at(at.log_snr());
        self.heard.borrow_mut().push((z_t.clone(), index));
        self.model.denoise(z_t, at)
    }
}

/// Returns the names of all cases that a scheduler made.
fn names(scheduler: &str) -> Vec<String> {
    let cases = META["cases"].as_object().expect("an object");
    let made = cases
        .iter()
        .filter(|(_, case)| case["scheduler"] == scheduler);
    made.map(|(name, _)| name.clone()).collect()
}

/// The times of the scheduler's own list of `σ/α`, whose last may be 0.
fn sigma_grid(case: &Case) -> TimeGrid {
    let time = |&sigma: &f64| table().time_at(-2.0 * sigma.ln()).min(1.0);
    TimeGrid::from_times(case.sigmas.iter().map(time).collect()).expect("falls")
}

fn state(values: &[f64]) -> Tensor<4> {
    tensor(values.to_vec(), [2, 3, 2, 2])
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| read("solvers.safetensors"));
static META: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(&read("solvers.json")).expect("the file is JSON"));

mod multistep;
mod single_step;
