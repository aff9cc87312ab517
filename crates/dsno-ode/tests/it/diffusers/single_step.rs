//! DDIM, Euler, Heun and the single-step DPM-Solvers.

use burn::tensor::Tensor;
use dsno_ode::solver::{SinglestepNodes, SolverType, ddim_step};
use dsno_ode::{
    AlgorithmType, Clamped, Ddim, Denoiser, DpmSolverFast, EdmSchedule, Euler, Heun, Prediction,
    Schedule, Solver, SolverOrder, Step, StepError, TimeGrid, solve,
};

use super::{Case, SAME_ALGORITHM, Toy, case, names, sigma_grid, table};
use crate::support::{assert_agree, largest_difference, values};

#[test]
fn no_case_is_left_out() {
    let count = |scheduler: &str| names(scheduler).len();
    // Those named in the tests below.
    assert_eq!(count("DDIMScheduler"), 5 + 3);
    assert_eq!(count("EulerDiscreteScheduler"), 3);
    assert_eq!(count("HeunDiscreteScheduler"), 3);
    assert_eq!(count("DPMSolverSinglestepScheduler"), 8);
}

#[test]
fn ddim_on_every_spacing_and_prediction() {
    for name in [
        "ddim_leading",
        "ddim_trailing",
        "ddim_50",
        "ddim_pred_sample",
        "ddim_pred_v",
    ] {
        let case = case(name);
        reproduce(name, &case, &Ddim, &table(), &index_grid(&case));
    }
}

#[test]
fn ddim_that_does_not_go_to_one_ends_with_a_call_that_changes_nothing() {
    // diffusers' `set_alpha_to_one = false` ends at the first entry of the table, which with leading
    // spacing is where the last call is made: ten calls take nine steps.
    let mut case = case("ddim_not_to_one");
    let (last, before) = (case.states.pop().expect("a state"), &case.states[9]);
    assert_agree(&values(&last), &values(before), SAME_ALGORITHM);
    case.indices.pop();
    let times = [
        900.0, 800.0, 700.0, 600.0, 500.0, 400.0, 300.0, 200.0, 100.0, 0.0,
    ];
    let grid = times.map(|index| table().time_of(index)).to_vec();
    let grid = TimeGrid::from_times(grid).expect("falls");
    reproduce("ddim_not_to_one", &case, &Ddim, &table(), &grid);
}

#[test]
fn ddim_that_clips_the_image_and_keeps_the_noise() {
    // With `clip_sample`, diffusers clamps x̂ and mixes it with the ε̂ of the unclamped one, so that
    // α x̂ + σ ε̂ is no longer the state. `Clamped` recomputes ε̂, as `use_clipped_model_output` does.
    let case = case("ddim_clip");
    let grid = index_grid(&case);
    reproduce("ddim_clip", &case, &ClampsTheImageOnly, &table(), &grid);

    // The numbers on the page of `Ddim`.
    let toy = || Toy {
        prediction: Prediction::Epsilon,
        table: table(),
        rounded: true,
    };
    let sample = |model: &dyn Denoiser| {
        let start = case.states[0].clone();
        let solution = solve(model, &Ddim, &table(), &grid, start, &[0.0]).expect("solves");
        values(&solution.states[0])
    };
    let (clamped, free) = (sample(&Clamped::new(toy())), sample(&toy()));
    let published = values(&case.states[10]);
    assert!((largest_difference(&clamped, &published) - 0.058).abs() < 0.001);
    assert!((largest_difference(&clamped, &free) - 0.09).abs() < 0.001);
}

#[test]
fn ddim_on_linspace_whose_steps_end_before_the_next_call() {
    // diffusers spaces the calls 111 entries apart but takes steps of 1000/10 = 100 entries, so the
    // model is called with less noise than the state has: 888 at the state of 899.
    let case = case("ddim_linspace");
    reproduce(
        "ddim_linspace",
        &case,
        &ShortSteps,
        &table(),
        &index_grid(&case),
    );

    // The number on the page of `Ddim`: Euler's case has the same levels and whole steps.
    let whole_steps = super::case("euler");
    let (short, whole) = (values(&case.states[10]), values(&whole_steps.states[10]));
    assert!((largest_difference(&short, &whole) - 0.13).abs() < 0.005);
}

#[test]
fn euler_and_heun_in_sigma() {
    for name in ["euler", "euler_karras", "euler_leading"] {
        let case = case(name);
        let (schedule, grid) = sigma_schedule(&case);
        reproduce(name, &case, &Euler, &schedule, &grid);
        // Where time is σ/α, Euler is DDIM.
        reproduce(name, &case, &Ddim, &schedule, &grid);
    }
    for name in ["heun", "heun_karras", "heun_leading"] {
        let case = case(name);
        let (schedule, grid) = sigma_schedule(&case);
        reproduce(name, &case, &Heun, &schedule, &grid);
    }
}

#[test]
fn every_single_step_dpm_solver() {
    use AlgorithmType::{DpmSolver, DpmSolverPlusPlus};
    use SolverOrder::{First, Second};
    let pairs = [Second, Second, Second, Second, First, First];
    for (name, algorithm_type, orders) in [
        ("dpm_1s", DpmSolver, vec![First; 10]),
        ("dpmpp_1s", DpmSolverPlusPlus, vec![First; 10]),
        ("dpm_2s", DpmSolver, pairs.to_vec()),
        ("dpmpp_2s", DpmSolverPlusPlus, pairs.to_vec()),
        ("dpmpp_2s_heun", DpmSolverPlusPlus, pairs.to_vec()),
        ("dpm_3s", DpmSolver, DpmSolverFast::orders(10)),
        ("dpmpp_3s", DpmSolverPlusPlus, DpmSolverFast::orders(10)),
        ("dpmpp_3s_12", DpmSolverPlusPlus, DpmSolverFast::orders(12)),
    ] {
        let case = case(name);
        let solver_type = match case.options["solver_type"].as_str() {
            Some("heun") => SolverType::Heun,
            _ => SolverType::Midpoint,
        };
        let nodes = |order| SinglestepNodes::of(order).with_midpoint_stage();
        let nodes: Vec<SinglestepNodes> = orders.into_iter().map(nodes).collect();
        let solver = DpmSolverFast::on_grid(algorithm_type, &table(), &sigma_grid(&case), &nodes);
        let mut solver = solver.expect("a plan");
        solver.solver_type = solver_type;
        reproduce(name, &case, &solver, &table(), solver.grid());
    }
}

/// Reproduces all calls of a case; the levels are those of its indices.
#[track_caller]
fn reproduce(
    name: &str,
    case: &Case,
    solver: &impl Solver,
    schedule: &dyn Schedule,
    grid: &TimeGrid,
) {
    let calls = case.indices.len();
    assert_eq!(calls + 1, case.states.len(), "{name}");
    super::reproduce(name, case, solver, (schedule, grid), calls, 1e-8);
}

/// DDIM as diffusers runs it with `clip_sample`.
struct ClampsTheImageOnly;

impl Solver for ClampsTheImageOnly {
    type Memory = ();

    fn name(&self) -> String {
        "clamps-the-image-only".to_owned()
    }

    fn order(&self) -> usize {
        1
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let x_hat = model.denoise(z_t.clone(), step.from());
        let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z_t, step.from());
        let (alpha, sigma) = (step.to().alpha(), step.to().sigma());
        Ok((x_hat.clamp(-1.0, 1.0) * alpha + eps_hat * sigma, ()))
    }
}

/// DDIM whose steps cover 100 entries of the table, wherever the next call is.
struct ShortSteps;

impl Solver for ShortSteps {
    type Memory = ();

    fn name(&self) -> String {
        "short-steps".to_owned()
    }

    fn order(&self) -> usize {
        1
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        (): (),
    ) -> Result<(Tensor<4>, ()), StepError> {
        let x_hat = model.denoise(z_t.clone(), step.from());
        let end = step.schedule().at((step.t() - 0.1).max(0.0));
        Ok((ddim_step(z_t, x_hat, step.from(), end)?, ()))
    }
}

/// The times of the indices of the calls, and `t = 0`.
fn index_grid(case: &Case) -> TimeGrid {
    TimeGrid::from_indices(&case.indices, &table()).expect("falls")
}

/// The schedule whose time is `σ` in units of the first, and the grid of the case's `σ`, each once.
fn sigma_schedule(case: &Case) -> (EdmSchedule, TimeGrid) {
    let mut sigmas = case.sigmas.clone();
    sigmas.dedup();
    let first = sigmas[0];
    let times = sigmas.iter().map(|sigma| sigma / first).collect();
    let grid = TimeGrid::from_times(times).expect("falls");
    (EdmSchedule::new(first).expect("positive"), grid)
}
