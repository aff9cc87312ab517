use burn::tensor::DType;

use super::*;
use crate::test_support::{assert_close, f64_tensor, values};

fn level(log_snr: f64) -> Amplitudes {
    Amplitudes::from_log_snr(log_snr)
}

fn mixture() -> GaussianMixture {
    let means = vec![vec![1.0, 0.5], vec![-1.2, 0.8], vec![0.2, -1.5]];
    GaussianMixture::new(vec![5.0, 3.0, 2.0], means, vec![0.25, 0.4, 0.15]).expect("valid")
}

fn states() -> Tensor<4> {
    f64_tensor(&[1.7, -0.3, 0.1, 0.2, -2.0, 1.1], [3, 2, 1, 1])
}

#[test]
fn a_single_component_has_the_denoiser_of_a_normal_distribution() {
    let (mean, std) = (0.3, 0.7);
    let single = GaussianMixture::new(vec![4.0], vec![vec![mean; 2]], vec![std]).expect("valid");
    for at in [-20.0, -1.0, 0.0, 3.0, 20.0].map(level) {
        let variance = (at.alpha() * std).powi(2) + at.sigma().powi(2);
        let x_hat = (states() - at.alpha() * mean) * (at.alpha() * std * std / variance) + mean;
        assert_close(&single.denoise(states(), at), &x_hat, 1e-14);
    }
}

#[test]
fn the_score_is_the_slope_of_the_log_density() {
    let (mixture, at, step) = (mixture(), level(1.0), 1e-5);
    let score = values(&mixture.score(states(), at));
    for i in 0..6 {
        let moved = |by: f64| {
            let mut v = values(&states());
            v[i] += by;
            values(&mixture.log_density(f64_tensor(&v, [3, 2, 1, 1]), at))[i / 2]
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        // Rounding of the density over the step: 2⁻⁵² · 10 / 1e-5.
        assert!((slope - score[i]).abs() < 1e-8, "{slope} {}", score[i]);
    }
}

#[test]
fn score_and_prediction_satisfy_tweedies_formula() {
    for at in [-20.0, -2.0, 0.0, 5.0].map(level) {
        let from_score = states() + mixture().score(states(), at) * at.sigma().powi(2);
        // Division by α = e⁻¹⁰ is left out on this side.
        assert_close(
            &(mixture().denoise(states(), at) * at.alpha()),
            &from_score,
            1e-14,
        );
    }
}

#[test]
fn single_precision_is_finite_and_close_at_both_ends() {
    for at in [-20.0, -10.0, 0.0, 10.0, 20.0].map(level) {
        let single = mixture().denoise(states().cast(DType::F32), at);
        assert_eq!(single.dtype(), DType::F32);
        assert_close(
            &single.cast(DType::F64),
            &mixture().denoise(states(), at),
            1e-5,
        );
    }
}

#[test]
fn impossible_mixtures_are_refused_with_their_numbers() {
    let new = GaussianMixture::new;
    let count = AnalyticError::ComponentCount {
        weights: 0,
        means: 0,
        stds: 0,
    };
    assert_eq!(new(vec![], vec![], vec![]), Err(count));
    let count = AnalyticError::ComponentCount {
        weights: 1,
        means: 1,
        stds: 2,
    };
    assert_eq!(new(vec![1.0], vec![vec![0.0]], vec![1.0, 1.0]), Err(count));
    let length = AnalyticError::MeanLength {
        component: 1,
        found: 1,
        expected: 2,
    };
    let means = vec![vec![0.0, 0.0], vec![0.0]];
    assert_eq!(new(vec![1.0, 1.0], means, vec![1.0, 1.0]), Err(length));
    let std = AnalyticError::Std {
        component: 0,
        value: 0.0,
    };
    assert_eq!(new(vec![1.0], vec![vec![0.0]], vec![0.0]), Err(std));
    let weight = AnalyticError::Weight {
        component: 0,
        value: -1.0,
    };
    assert_eq!(new(vec![-1.0], vec![vec![0.0]], vec![1.0]), Err(weight));
    assert!(new(vec![1.0], vec![vec![f64::NAN]], vec![1.0]).is_err());
    assert!(new(vec![1.0], vec![vec![]], vec![1.0]).is_err());
}

#[test]
fn teacher_files_round_trip_and_refuse_what_they_do_not_know() {
    let teacher = AnalyticTeacher::GaussianMixture(mixture());
    let file = toml::to_string(&teacher).expect("serialises");
    assert!(file.starts_with("kind = \"gaussian-mixture\""), "{file}");
    assert_eq!(toml::from_str(&file), Ok(teacher));
    let refused = [
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [1.0]\nvars = [1.0]",
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]",
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [0.0]",
        "kind = 'gaussian'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [1.0]",
    ];
    for file in refused {
        assert!(toml::from_str::<AnalyticTeacher>(file).is_err(), "{file}");
    }
}

#[test]
fn the_ideal_denoiser_is_a_mixture_of_vanishing_width() {
    let images = f64_tensor(&[1.0, 0.5, -1.2, 0.8, 0.2, -1.5, 0.9, 0.4], [4, 2, 1, 1]);
    let means = values(&images).chunks(2).map(<[f64]>::to_vec).collect();
    let mixture = GaussianMixture::new(vec![1.0; 4], means, vec![1e-9; 4]).expect("valid");
    let ideal = IdealDenoiser::new(images).expect("four images");
    for at in [-20.0, -1.0, 2.0, 4.0].map(level) {
        assert_close(
            &ideal.denoise(states(), at),
            &mixture.denoise(states(), at),
            1e-12,
        );
    }
}

#[test]
fn the_ideal_denoiser_does_not_depend_on_its_chunks() {
    let pixels: Vec<f64> = (0..7 * 12).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let images = f64_tensor(&pixels, [7, 3, 2, 2]);
    let noise: Vec<f64> = (0..2 * 12).map(|i| (f64::from(i) * 1.3).cos()).collect();
    let z_t = f64_tensor(&noise, [2, 3, 2, 2]);
    let ideal = IdealDenoiser::new(images).expect("seven images");
    for at in [-20.0, 0.0, 20.0].map(level) {
        let whole = ideal.posterior_mean(z_t.clone(), at, 7);
        for chunk in [1, 2, 3, 6, 100] {
            assert_close(&ideal.posterior_mean(z_t.clone(), at, chunk), &whole, 1e-14);
        }
        assert_close(&ideal.denoise(z_t.clone(), at), &whole, 1e-14);
    }
}

#[test]
fn the_ideal_denoiser_finds_the_image_under_the_last_noise_in_single_precision() {
    let pixels: Vec<f64> = (0..50 * 16).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let images = f64_tensor(&pixels, [50, 1, 4, 4]).cast(DType::F32);
    let ideal = IdealDenoiser::new(images.clone()).expect("fifty images");
    for log_snr in [20.0, 60.0, f64::INFINITY] {
        let at = level(log_snr);
        let found = ideal.denoise(images.clone() * at.alpha(), at);
        assert_close(&found, &images, 0.0);
    }
}

#[test]
fn an_empty_data_set_is_refused() {
    let empty = f64_tensor(&[], [0, 1, 2, 2]);
    let expected = AnalyticError::NoImages {
        shape: [0, 1, 2, 2],
    };
    assert_eq!(IdealDenoiser::new(empty).err(), Some(expected));
}
