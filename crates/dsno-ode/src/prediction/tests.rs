use super::*;
use crate::test_support::{assert_close, column, f64_tensor};
use crate::{add_noise, add_noise_with};

const ALL: [Prediction; 4] = [
    Prediction::X,
    Prediction::Epsilon,
    Prediction::V,
    Prediction::Score,
];
/// Levels of both processes.
const LEVELS: [f64; 3] = [-20.0, 0.3, 20.0];
/// Division by `α = e⁻¹⁰`, or by `σ = e⁻¹⁰` in going from `x̂` to `ε̂`, turns f64 rounding into
/// 1e-11.
const ROUNDING: f64 = 1e-10;

fn levels() -> impl Iterator<Item = NoiseLevel> {
    let exploding = NoiseLevel::variance_exploding(1.0);
    let of = move |log_snr| {
        [
            NoiseLevel::from_log_snr(log_snr),
            exploding.with_log_snr(log_snr),
        ]
    };
    LEVELS.into_iter().flat_map(of)
}

fn image_and_noise() -> (Tensor<4>, Tensor<4>) {
    let x = f64_tensor(&[0.5, -0.25, 0.9, -1.0, 0.1, 0.0], [3, 1, 1, 2]);
    let eps = f64_tensor(&[1.5, -0.75, 0.2, 2.0, -1.1, 0.4], [3, 1, 1, 2]);
    (x, eps)
}

#[test]
fn perfect_outputs_give_back_image_noise_and_velocity() {
    let (x, eps) = image_and_noise();
    for at in levels() {
        let z_t = add_noise(x.clone(), eps.clone(), at);
        for prediction in ALL {
            let output = prediction.target(x.clone(), eps.clone(), at);
            let x_hat = prediction.to_x(output.clone(), z_t.clone(), at);
            let eps_hat = prediction.to_epsilon(output.clone(), z_t.clone(), at);
            let v_hat = prediction.to_v(output, z_t.clone(), at);
            assert_close(&x_hat, &x, ROUNDING);
            assert_close(&eps_hat, &eps, ROUNDING);
            let v = eps.clone() * at.alpha() - x.clone() * at.sigma();
            // ε̂ and σ z_t/α, of the size of α² + σ², all but cancel in v̂.
            let tolerance = ROUNDING.max(2e-15 * at.scale().powi(2));
            assert_close(&v_hat, &v, tolerance);
        }
    }
}

#[test]
fn batched_levels_agree_with_single_ones() {
    let image_and_noise = image_and_noise();
    let twice = |half: &Tensor<4>| Tensor::cat(vec![half.clone(); 2], 0);
    let (x, eps) = (twice(&image_and_noise.0), twice(&image_and_noise.1));
    let levels: [NoiseLevel; 6] = std::array::from_fn(|i| levels().nth(i).expect("six"));
    let (alpha, sigma) = (
        column(levels.map(NoiseLevel::alpha)),
        column(levels.map(NoiseLevel::sigma)),
    );
    let z_t = add_noise_with(x.clone(), eps.clone(), alpha.clone(), sigma.clone());
    for prediction in ALL {
        let output = prediction.target_with(x.clone(), eps.clone(), alpha.clone(), sigma.clone());
        let batched =
            prediction.to_x_with(output.clone(), z_t.clone(), alpha.clone(), sigma.clone());
        for (i, at) in levels.into_iter().enumerate() {
            let row = |t: &Tensor<4>| t.clone().narrow(0, i, 1);
            let single = prediction.target(row(&x), row(&eps), at);
            // The scale of a batched level is summed from squares, and σ = e¹⁰ magnifies it.
            let tolerance = 1e-14 * at.scale();
            assert_close(&row(&output), &single, tolerance);
            let x_hat = prediction.to_x(single, row(&z_t), at);
            assert_close(&row(&batched), &x_hat, ROUNDING);
        }
    }
}

#[test]
fn both_processes_answer_alike_for_a_state_in_their_units() {
    let (x, eps) = image_and_noise();
    let preserving = NoiseLevel::from_log_snr(-1.7);
    let exploding = NoiseLevel::variance_exploding(1.0).with_log_snr(-1.7);
    let z_t = add_noise(x.clone(), eps.clone(), preserving);
    // A wrong output, so that the paths differ unless the split is the same.
    for prediction in [Prediction::X, Prediction::Epsilon] {
        let x_hat = prediction.to_x(eps.clone() * 0.7, z_t.clone(), preserving);
        let same = prediction.to_x(
            eps.clone() * 0.7,
            z_t.clone() * exploding.scale(),
            exploding,
        );
        assert_close(&same, &x_hat, 1e-14);
    }
    let score = Prediction::Score;
    let x_hat = score.to_x(eps.clone(), z_t.clone(), preserving);
    // The score is per unit of state, so it shrinks as the state grows.
    let scaled = eps / exploding.scale();
    assert_close(
        &score.to_x(scaled, z_t * exploding.scale(), exploding),
        &x_hat,
        1e-14,
    );
}

#[test]
fn names_in_files_are_kebab_case() {
    for (prediction, name) in ALL
        .into_iter()
        .zip(["\"x\"", "\"epsilon\"", "\"v\"", "\"score\""])
    {
        assert_eq!(
            serde_json::to_string(&prediction).expect("serialises"),
            name
        );
    }
    assert!(serde_json::from_str::<Prediction>("\"eps\"").is_err());
}
