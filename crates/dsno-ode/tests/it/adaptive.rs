//! The adaptive solver against SciPy's DOP853 in `tests/golden/flow.safetensors`.

use burn::tensor::Tensor;
use dsno_ode::analytic::exact_flow;
use dsno_ode::{CosineSchedule, Dopri5, LinearBetaSchedule, Schedule, Solution, solve_adaptive};

use crate::support::{
    golden, largest_difference, mixture, numbers, points, read, stored, tensor, values,
};

/// The exact flow of eight points at 29 times, largest first, under one schedule.
struct Flow {
    schedule: Box<dyn Schedule>,
    z_1: Tensor<4>,
    times: Vec<f64>,
    states: Vec<Vec<f64>>,
}

fn flows() -> [Flow; 2] {
    let file = read("flow.safetensors");
    let read = |key: &str| stored(&file, key).expect("a tensor of the golden file");
    let flow = |schedule: Box<dyn Schedule>, key| Flow {
        schedule,
        z_1: tensor(read("z_1"), [8, 2, 1, 1]),
        times: read("t"),
        states: read(key).chunks(16).map(<[f64]>::to_vec).collect(),
    };
    [
        flow(Box::<CosineSchedule>::default(), "cosine"),
        flow(Box::<LinearBetaSchedule>::default(), "linear_beta"),
    ]
}

impl Flow {
    fn solve(&self, method: &Dopri5) -> Solution {
        let z_1 = self.z_1.clone();
        let (span, times) = ((1.0, 0.0), &self.times);
        let solution = solve_adaptive(&mixture(), method, &*self.schedule, span, z_1, times);
        solution.expect("solves")
    }

    /// Returns the largest error at `t = 0` and that at any of the times.
    fn errors(&self, states: &[Tensor<4>]) -> (f64, f64) {
        assert_eq!(states.len(), self.states.len());
        let pairs = states.iter().zip(&self.states);
        let errors: Vec<f64> = pairs
            .map(|(a, b)| largest_difference(&values(a), b))
            .collect();
        let largest = errors.iter().copied().fold(0.0, f64::max);
        (errors[errors.len() - 1], largest)
    }
}

#[test]
fn states_at_all_times_agree_with_another_solver() {
    for flow in flows() {
        let solution = flow.solve(&Dopri5::with_tolerance(1e-8));
        let (_, error) = flow.errors(&solution.states);
        assert!(error < 1e-6, "error {error:e}");
        assert!(solution.model_calls < 300, "{} calls", solution.model_calls);
    }
}

#[test]
fn the_last_state_agrees_with_the_golden_points() {
    let z_1 = points(&golden(&["ddim", "z_1"]));
    let method = Dopri5::with_tolerance(1e-9);
    let schedules: [(&str, &dyn Schedule); 2] = [
        ("exact_t0", &CosineSchedule::default()),
        ("exact_vp_t0", &LinearBetaSchedule::default()),
    ];
    for (key, schedule) in schedules {
        let solution = solve_adaptive(
            &mixture(),
            &method,
            schedule,
            (1.0, 0.0),
            z_1.clone(),
            &[0.0],
        );
        let found = values(&solution.expect("solves").states[0]);
        let error = largest_difference(&found, &numbers(&golden(&["ddim", key])));
        assert!(error < 1e-7, "{key}: error {error:e}");
    }
}

#[test]
fn the_error_falls_with_the_tolerance() {
    // The promise of `Dopri5`: 10 tolerances at the end, 40 between steps.
    for flow in flows() {
        for exponent in 3..=10 {
            let tolerance = 10f64.powi(-exponent);
            let solution = flow.solve(&Dopri5::with_tolerance(tolerance));
            let (last, largest) = flow.errors(&solution.states);
            assert!(
                last < 10.0 * tolerance,
                "1e-{exponent}: error {last:e} at the end"
            );
            assert!(
                largest < 40.0 * tolerance,
                "1e-{exponent}: error {largest:e}"
            );
        }
    }
}

#[test]
fn the_exact_flow_is_exact_to_nine_digits() {
    for flow in flows() {
        let teacher = mixture();
        let states = exact_flow(&teacher, &*flow.schedule, flow.z_1.clone(), &flow.times);
        let (_, error) = flow.errors(&states.expect("solves"));
        assert!(error < 1e-9, "error {error:e}");
    }
}
