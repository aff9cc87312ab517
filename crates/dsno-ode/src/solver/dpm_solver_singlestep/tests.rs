use super::*;
use crate::solver::SolverOptionError;
use crate::solver::test_steps::{check_refusals, check_repeats, sigma_time, start, wavy};
use crate::test_support::assert_close;
use crate::{CosineSchedule, Ddim, NoiseLevel, Prediction, Schedule, from_fn};

/// A function of the level, or its antiderivative.
type Function = fn(f64) -> f64;

const SOLVER_TYPES: [SolverType; 2] = [SolverType::Midpoint, SolverType::Heun];

fn take(solver: &impl Solver<Memory = ()>, model: &dyn Denoiser, step: &Step<'_>) -> Tensor<4> {
    solver.step(model, start(), step, ()).expect("a step").0
}

/// Returns the noise that the model predicts.
fn eps(z: &Tensor<4>, at: NoiseLevel) -> Tensor<4> {
    Prediction::X.to_epsilon(wavy().denoise(z.clone(), at), z.clone(), at)
}

/// Makes the model whose prediction in `form` is `value(ℓ)` in every pixel, with `ℓ = λ/2`.
fn depends_on_level(algorithm_type: AlgorithmType, value: Function) -> impl Denoiser {
    from_fn(move |z_t: Tensor<4>, at: NoiseLevel| {
        let prediction = z_t.ones_like() * value(0.5 * at.log_snr());
        match algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => prediction,
            AlgorithmType::DpmSolver => Prediction::Epsilon.to_x(prediction, z_t, at),
        }
    })
}

#[test]
fn order_one_is_ddim_in_both_algorithms() {
    let schedule = CosineSchedule::default();
    let exploding = sigma_time(80.0);
    for schedule in [&schedule as &dyn Schedule, &exploding] {
        let step = Step::alone(schedule, 0.6, 0.3);
        let expected = take(&Ddim, &wavy(), &step);
        let solver = |algorithm_type| DpmSolverSinglestep::new(algorithm_type, SolverOrder::First);
        assert_close(
            &take(&solver(AlgorithmType::DpmSolverPlusPlus), &wavy(), &step),
            &expected,
            0.0,
        );
        assert_close(
            &take(&solver(AlgorithmType::DpmSolver), &wavy(), &step),
            &expected,
            1e-13,
        );
    }
}

#[test]
fn predictions_that_are_polynomials_of_the_level_are_crossed_exactly() {
    // z_s/σ_s = z_t/σ_t + ∫ e^ℓ x̂ dℓ and z_s/α_s = z_t/α_t − ∫ e^−ℓ ε̂ dℓ, with antiderivatives
    // e^ℓ (ℓ − 1), −e^−ℓ (ℓ + 1) for ℓ and e^ℓ (ℓ² − 2ℓ + 2), −e^−ℓ (ℓ² + 2ℓ + 2) for ℓ².
    let schedule = CosineSchedule::default();
    let step = Step::alone(&schedule, 0.7, 0.45);
    let (from, to) = (step.from(), step.to());
    let (start_level, end_level) = (0.5 * from.log_snr(), 0.5 * to.log_snr());
    let check = |solver: DpmSolverSinglestep, value: Function, primitive: Function| {
        let integral = primitive(end_level) - primitive(start_level);
        let expected = match solver.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => (start() / from.sigma() + integral) * to.sigma(),
            AlgorithmType::DpmSolver => (start() / from.alpha() - integral) * to.alpha(),
        };
        let found = take(
            &solver,
            &depends_on_level(solver.algorithm_type, value),
            &step,
        );
        assert_close(&found, &expected, 1e-13);
    };
    let third_at = SinglestepNodes::third_at(0.2, 0.7).expect("inside");
    let second_at = SinglestepNodes::second_at(0.3).expect("inside");
    let [second, third] = [SolverOrder::Second, SolverOrder::Third].map(SinglestepNodes::of);
    for algorithm_type in AlgorithmType::ALL {
        let line: Function = |l| l;
        let square: Function = |l| l * l;
        let (line_primitive, square_primitive): (Function, Function) = match algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => (
                |l| l.exp() * (l - 1.0),
                |l| l.exp() * (l * l - 2.0 * l + 2.0),
            ),
            AlgorithmType::DpmSolver => (
                |l| -(-l).exp() * (l + 1.0),
                |l| -(-l).exp() * (l * l + 2.0 * l + 2.0),
            ),
        };
        let with = |solver_type, nodes| DpmSolverSinglestep {
            algorithm_type,
            solver_type,
            nodes,
        };
        for nodes in [second, second_at, third_at] {
            check(with(SolverType::Heun, nodes), line, line_primitive);
        }
        for nodes in [third, third_at] {
            check(with(SolverType::Midpoint, nodes), line, line_primitive);
            check(with(SolverType::Heun, nodes), square, square_primitive);
        }
    }
}

#[test]
fn order_two_is_the_published_algorithm() {
    let schedule = CosineSchedule::default();
    let step = Step::alone(&schedule, 0.7, 0.45);
    let (from, to) = (step.from(), step.to());
    for r1 in [0.5, 0.3] {
        let nodes = SinglestepNodes::second_at(r1).expect("inside");
        let solver_type = SolverType::Midpoint;
        let solver = |algorithm_type| DpmSolverSinglestep {
            algorithm_type,
            solver_type,
            nodes,
        };
        let inner = step.inside(r1);
        let h = step.log_ratio();
        let z_t = start();

        // DPM-Solver++ 2S: arXiv:2211.01095, Algorithm 1.
        let m_0 = wavy().denoise(z_t.clone(), from);
        let u = z_t.clone() * (inner.sigma() / from.sigma())
            - m_0.clone() * (inner.alpha() * (-r1 * h).exp_m1());
        let m_1 = wavy().denoise(u, inner);
        let d = m_0 * (1.0 - 0.5 / r1) + m_1 * (0.5 / r1);
        let expected = z_t.clone() * (to.sigma() / from.sigma()) - d * (to.alpha() * (-h).exp_m1());
        let found = take(&solver(AlgorithmType::DpmSolverPlusPlus), &wavy(), &step);
        assert_close(&found, &expected, 1e-13);

        // DPM-Solver-2: arXiv:2206.00927, Algorithm 1 and its general form.
        let e_0 = eps(&z_t, from);
        let u = z_t.clone() * (inner.alpha() / from.alpha())
            - e_0.clone() * (inner.sigma() * (r1 * h).exp_m1());
        let e_1 = eps(&u, inner);
        let expected = z_t * (to.alpha() / from.alpha())
            - e_0.clone() * (to.sigma() * h.exp_m1())
            - (e_1 - e_0) * (0.5 / r1 * to.sigma() * h.exp_m1());
        let found = take(&solver(AlgorithmType::DpmSolver), &wavy(), &step);
        assert_close(&found, &expected, 1e-13);
    }
}

#[test]
fn order_three_is_the_published_algorithm() {
    // arXiv:2206.00927, Algorithm 2.
    let schedule = CosineSchedule::default();
    let step = Step::alone(&schedule, 0.7, 0.45);
    let (from, to) = (step.from(), step.to());
    let (r1, r2, h) = (1.0 / 3.0, 2.0 / 3.0, step.log_ratio());
    let (level_1, level_2) = (step.inside(r1), step.inside(r2));
    let z_t = start();
    let e_0 = eps(&z_t, from);
    let u_1 = z_t.clone() * (level_1.alpha() / from.alpha())
        - e_0.clone() * (level_1.sigma() * (r1 * h).exp_m1());
    let d_1 = eps(&u_1, level_1) - e_0.clone();
    let u_2 = z_t.clone() * (level_2.alpha() / from.alpha())
        - e_0.clone() * (level_2.sigma() * (r2 * h).exp_m1())
        - d_1 * (level_2.sigma() * r2 / r1 * ((r2 * h).exp_m1() / (r2 * h) - 1.0));
    let d_2 = eps(&u_2, level_2) - e_0.clone();
    let expected = z_t * (to.alpha() / from.alpha())
        - e_0 * (to.sigma() * h.exp_m1())
        - d_2 * (to.sigma() / r2 * (h.exp_m1() / h - 1.0));
    let solver = DpmSolverSinglestep::new(AlgorithmType::DpmSolver, SolverOrder::Third);
    let found = take(&solver, &wavy(), &step);
    assert_close(&found, &expected, 1e-13);
}

#[test]
fn a_step_to_no_noise_is_the_prediction() {
    let schedule = sigma_time(80.0);
    let step = Step::alone(&schedule, 0.1, 0.0);
    for algorithm_type in AlgorithmType::ALL {
        for order in SolverOrder::ALL {
            let solver = DpmSolverSinglestep::new(algorithm_type, order);
            assert_eq!(solver.calls(&step), 1);
            let expected = wavy().denoise(start(), step.from());
            assert_close(&take(&solver, &wavy(), &step), &expected, 1e-14);
        }
        let (from, to) = (step.from(), step.to());
        let m = algorithm_type
            .predict(&wavy(), &start(), from)
            .expect("a prediction");
        let all = [m.clone(), m.clone() * 2.0, m * 3.0];
        for solver_type in SOLVER_TYPES {
            let moved = |nodes: &[f64]| {
                let known = &all[..=nodes.len()];
                let z_s =
                    dpm_solver_step(algorithm_type, solver_type, start(), known, nodes, from, to);
                z_s.expect("a step")
            };
            assert_close(&moved(&[0.5]), &moved(&[]), 0.0);
            assert_close(&moved(&[0.3, 0.6]), &moved(&[]), 0.0);
        }
    }
}

#[test]
fn repeats_and_refuses_in_every_variant() {
    let schedule = CosineSchedule::default();
    for algorithm_type in AlgorithmType::ALL {
        for solver_type in SOLVER_TYPES {
            for nodes in SolverOrder::ALL.map(SinglestepNodes::of) {
                let solver = DpmSolverSinglestep {
                    algorithm_type,
                    solver_type,
                    nodes,
                };
                check_repeats(&solver, &schedule);
                check_repeats(&solver, &sigma_time(20.0));
                check_refusals(&solver);
            }
        }
    }
    let at = |log_snr| NoiseLevel::from_log_snr(log_snr);
    let narrow = start().narrow(0, 0, 1);
    let step = |predictions: &[Tensor<4>], nodes: &[f64], from| {
        let (algorithm_type, heun) = (AlgorithmType::DpmSolverPlusPlus, SolverType::Heun);
        dpm_solver_step(
            algorithm_type,
            heun,
            start(),
            predictions,
            nodes,
            at(from),
            at(1.0),
        )
        .err()
    };
    let error = step(&[start(), narrow], &[0.5], -1.0);
    assert!(matches!(error, Some(StepError::ShapeMismatch { .. })));
    let error = step(&[start()], &[], f64::INFINITY);
    assert!(matches!(error, Some(StepError::NoiselessStart { .. })));
}

#[test]
fn names_say_algorithm_order_type_and_unusual_nodes() {
    let name = |algorithm_type, nodes, solver_type| {
        DpmSolverSinglestep {
            algorithm_type,
            solver_type,
            nodes,
        }
        .name()
    };
    let [first, second, third] = SolverOrder::ALL.map(SinglestepNodes::of);
    let (data, noise) = (AlgorithmType::DpmSolverPlusPlus, AlgorithmType::DpmSolver);
    assert_eq!(name(noise, third, SolverType::Midpoint), "dpm-solver-3");
    assert_eq!(name(data, second, SolverType::Heun), "dpm-solver++-2s-heun");
    assert_eq!(name(data, first, SolverType::Heun), "dpm-solver++-1s");
    let unusual = SinglestepNodes::third_at(0.25, 0.5)
        .expect("inside")
        .with_midpoint_stage();
    assert_eq!(
        name(data, unusual, SolverType::Midpoint),
        "dpm-solver++-3s(r1=0.25, r2=0.5, midpoint stage)"
    );
}

#[test]
fn nodes_outside_the_step_are_refused() {
    for r1 in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(SinglestepNodes::second_at(r1).is_err());
    }
    for (r1, r2) in [
        (0.5, 0.5),
        (0.6, 0.5),
        (0.0, 0.5),
        (0.5, 1.0),
        (f64::NAN, 0.5),
    ] {
        assert!(matches!(
            SinglestepNodes::third_at(r1, r2),
            Err(SolverOptionError::InnerNodes { .. })
        ));
    }
    assert_eq!(
        SinglestepNodes::third_at(0.5, 2.0 / 3.0)
            .expect("inside")
            .order(),
        3
    );
    assert_eq!(
        SinglestepNodes::of(SolverOrder::Third)
            .with_midpoint_stage()
            .order(),
        3
    );
    let second = SinglestepNodes::of(SolverOrder::Second);
    assert_eq!(second.with_midpoint_stage(), second);
}
