use super::*;
use crate::solver::test_steps::{check_refusals, check_repeats, sigma_time, start, wavy};
use crate::test_support::{assert_close, values};
use crate::{CosineSchedule, Ddim, NoiseLevel, from_fn};

#[test]
fn is_ddim_where_time_is_the_noise_amplitude() {
    let schedule = sigma_time(80.0);
    for (t, s) in [(1.0, 0.4), (0.01, 0.001), (0.002, 0.0)] {
        let step = Step::alone(&schedule, t, s);
        let (euler, ()) = Euler.step(&wavy(), start(), &step, ()).expect("a step");
        let (ddim, ()) = Ddim.step(&wavy(), start(), &step, ()).expect("a step");
        assert_close(&euler, &ddim, 1e-13);
    }
}

#[test]
fn follows_the_tangent_of_the_cosine_circle() {
    // x̂ = 0: the state is σ ε̂ and its slope is the circle's, cos φ dφ/dt.
    let schedule = CosineSchedule::default();
    let model = from_fn(|z_t: Tensor<4>, _| z_t.zeros_like());
    let step = Step::alone(&schedule, 0.5, 0.4);
    let (found, ()) = Euler.step(&model, start(), &step, ()).expect("a step");
    let angle_per_time = std::f64::consts::FRAC_PI_2 - 2.0 * (-10.0f64).exp().atan();
    assert_close(&found, &(start() * (1.0 - 0.1 * angle_per_time)), 1e-14);
}

#[test]
fn a_step_to_no_noise_is_euler() {
    let schedule = sigma_time(80.0);
    let step = Step::alone(&schedule, 0.01, 0.0);
    let (euler, ()) = Euler.step(&wavy(), start(), &step, ()).expect("a step");
    let (heun, ()) = Heun.step(&wavy(), start(), &step, ()).expect("a step");
    let (rk4, ()) = Rk4.step(&wavy(), start(), &step, ()).expect("a step");
    assert_eq!((Heun.calls(&step), Rk4.calls(&step)), (1, 1));
    assert_close(&heun, &euler, 0.0);
    assert_close(&rk4, &euler, 0.0);
}

#[test]
fn averages_the_slopes_at_both_ends() {
    // x̂ = c z at α = 1: dz/dσ = (1 − c) z/σ, so both slopes are known in closed form.
    let c = 0.3;
    let model = from_fn(move |z_t: Tensor<4>, _| z_t * c);
    let schedule = sigma_time(10.0);
    let step = Step::alone(&schedule, 0.5, 0.2);
    let (found, ()) = Heun.step(&model, start(), &step, ()).expect("a step");
    let (sigma_t, sigma_s) = (5.0, 2.0);
    for (found, z) in values(&found).into_iter().zip(values(&start())) {
        let slope = (1.0 - c) * z / sigma_t;
        let predicted = z + (sigma_s - sigma_t) * slope;
        let slope_after = (1.0 - c) * predicted / sigma_s;
        let expected = z + (sigma_s - sigma_t) * 0.5 * (slope + slope_after);
        assert!((found - expected).abs() < 1e-14, "{found}, {expected}");
    }
}

#[test]
fn has_the_stability_polynomial_of_order_four() {
    // z′ = k z in σ, with k constant: x̂ = (1 − k σ) z. One step multiplies by Σ_{j≤4} (k h)^j/j!.
    let (k, sigma_max) = (0.2, 4.0);
    let model = from_fn(move |z_t: Tensor<4>, at: NoiseLevel| z_t * (1.0 - k * at.sigma()));
    let schedule = sigma_time(sigma_max);
    let step = Step::alone(&schedule, 0.9, 0.3);
    let (found, ()) = Rk4.step(&model, start(), &step, ()).expect("a step");
    let x: f64 = k * sigma_max * (0.3 - 0.9);
    let factor = 1.0 + x + x * x / 2.0 + x.powi(3) / 6.0 + x.powi(4) / 24.0;
    for (found, z) in values(&found).into_iter().zip(values(&start())) {
        let expected = factor * z;
        assert!((found - expected).abs() < 1e-14, "{found}, {expected}");
    }
}

#[test]
fn repeats_and_refuses() {
    let schedule = CosineSchedule::default();
    check_repeats(&Euler, &schedule);
    check_refusals(&Euler);
    check_repeats(&Heun, &schedule);
    check_refusals(&Heun);
    check_repeats(&Rk4, &schedule);
    check_refusals(&Rk4);
}
