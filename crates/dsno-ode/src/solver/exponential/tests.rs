use super::*;
use crate::test_support::{assert_close, f64_tensor};

#[test]
fn phi_is_smooth_where_its_two_forms_meet_and_right_at_zero() {
    for k in 1..=4 {
        assert!((phi(k, 0.0) * factorial(k) - 1.0).abs() < 1e-15);
        for sign in [-1.0, 1.0] {
            let (inside, outside) = (phi(k, sign), phi(k, sign * (1.0 + 1e-15)));
            assert!((inside - outside).abs() < 1e-14, "φ_{k}({sign})");
        }
    }
    // (e^½ − 1 − ½)/¼ and (e^−10 − 1 + 10)/100
    assert!((phi(2, 0.5) - 4.0 * (0.5f64.exp() - 1.5)).abs() < 1e-15);
    assert!((phi(2, -10.0) - (9.0 + (-10.0f64).exp()) / 100.0).abs() < 1e-16);
}

#[test]
fn moments_are_the_integrals_they_stand_for() {
    for algorithm_type in AlgorithmType::ALL {
        let from = NoiseLevel::from_log_snr(-1.0);
        let interval = Interval::new(algorithm_type, from, from.with_log_snr(1.6));
        let rate = if algorithm_type == AlgorithmType::DpmSolverPlusPlus {
            -1.3
        } else {
            1.3f64
        };
        for k in 0..4 {
            // Midpoint rule in 20 000 panels: its error is below 1e-9.
            let panel = |i: i32| {
                let u = (f64::from(i) + 0.5) / 20_000.0;
                1.3 * (rate * (1.0 - u)).exp() * u.powi(k) / 20_000.0
            };
            let sum: f64 = (0..20_000).map(panel).sum();
            assert!((interval.moment(k as usize) - sum).abs() < 1e-8);
        }
    }
}

#[test]
fn lagrange_weights_integrate_polynomials() {
    // ∫_0^1 of the cubic 2 − u + 3u² + 4u³ through values at 0, −1, −2.5 and 1.
    let cubic = |u: f64| 2.0 - u + 3.0 * u * u + 4.0 * u * u * u;
    let positions = [-1.0, -2.5, 1.0];
    let weights = lagrange_weights(&positions, &[0.5, 1.0 / 3.0, 0.25]);
    let others: f64 = weights.iter().sum();
    let sum: f64 = weights
        .iter()
        .zip(positions)
        .map(|(w, u)| w * cubic(u))
        .sum();
    let integral = sum + (1.0 - others) * cubic(0.0);
    assert!((integral - 3.5).abs() < 1e-14);
}

#[test]
fn a_value_at_minus_infinity_has_no_weight() {
    let near = lagrange_weights(&[-1.0], &[0.5, 0.2]);
    let with_far = lagrange_weights(&[-1.0, f64::NEG_INFINITY], &[0.5, 0.2]);
    assert_eq!(with_far, [near[0], 0.0]);
}

#[test]
fn a_polynomial_prediction_is_crossed_exactly() {
    // x̂ = ℓ²: z_s = σ_s/σ_t z_t + σ_s ∫ e^ℓ ℓ² dℓ, whose antiderivative is e^ℓ (ℓ² − 2ℓ + 2).
    let (from, to) = (
        NoiseLevel::from_log_snr(-1.0),
        NoiseLevel::from_log_snr(0.8),
    );
    let interval = Interval::new(AlgorithmType::DpmSolverPlusPlus, from, to);
    let half = |log_snr: f64| 0.5 * log_snr;
    let levels = [-1.0, -1.9, -4.2];
    let predictions = levels.map(|level| f64_tensor(&[half(level).powi(2)], [1, 1, 1, 1]));
    let positions = [interval.position(levels[1]), interval.position(levels[2])];
    let moments = [interval.moment(1), interval.moment(2)];
    let z_t = f64_tensor(&[0.7], [1, 1, 1, 1]);
    let crossed = interval.cross(z_t, &predictions, &positions, &moments);
    let primitive = |l: f64| l.exp() * (l * l - 2.0 * l + 2.0);
    let integral = primitive(half(0.8)) - primitive(half(-1.0));
    let expected = to.sigma() * (0.7 / from.sigma() + integral);
    assert_close(&crossed, &f64_tensor(&[expected], [1, 1, 1, 1]), 1e-14);
}
