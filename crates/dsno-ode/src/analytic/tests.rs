use burn::tensor::DType;

use super::*;
use crate::test_support::{assert_close, exploding, f64_tensor, level, mixture, states, values};

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

fn normal() -> Gaussian {
    Gaussian::new(vec![0.3, -0.2], vec![0.5, 0.1]).expect("valid")
}

#[test]
fn a_normal_teacher_is_a_mixture_of_one_component() {
    let single = GaussianMixture::new(vec![1.0], vec![vec![0.3, -0.2]], vec![0.4]).expect("valid");
    let teacher = Gaussian::new(vec![0.3, -0.2], vec![0.4]).expect("valid");
    for log_snr in [-20.0, -1.0, 0.0, 3.0, 20.0] {
        for at in [level(log_snr), exploding(log_snr)] {
            let z_t = states() * at.scale();
            // The mixture subtracts α μ from the state, whose size is the scale.
            let tolerance = 1e-14 * at.scale();
            assert_close(
                &teacher.denoise(z_t.clone(), at),
                &single.denoise(z_t, at),
                tolerance,
            );
        }
    }
    let clean = level(f64::INFINITY);
    assert_close(&teacher.denoise(states(), clean), &states(), 0.0);
}

#[test]
fn the_normal_flow_solves_the_ode_of_its_denoiser() {
    // dz/dλ = (dα/dλ) x̂ + (dσ/dλ) ε̂, by central differences with Richardson's extrapolation.
    for at in [
        level(-3.0),
        level(0.4),
        level(6.0),
        exploding(-3.0),
        exploding(6.0),
    ] {
        let moved = |by: f64| normal().flow(states(), at, at.with_log_snr(at.log_snr() + by));
        let central = |h: f64| (moved(h) - moved(-h)) / (2.0 * h);
        let slope = (central(5e-4) * 4.0 - central(1e-3)) / 3.0;
        let x_hat = normal().denoise(states(), at);
        let eps_hat = (states() - x_hat.clone() * at.alpha()) / at.sigma();
        let (alpha_rate, sigma_rate) = at.rates(1.0);
        // Rounding: 2⁻⁵² · 5/1e-3.
        assert_close(&slope, &(x_hat * alpha_rate + eps_hat * sigma_rate), 1e-11);
    }
}

#[test]
fn the_normal_flow_composes_and_changes_its_units() {
    let (from, middle, to) = (level(-8.0), level(1.0), level(f64::INFINITY));
    let whole = normal().flow(states(), from, to);
    let half = normal().flow(states(), from, middle);
    assert_close(&normal().flow(half.clone(), middle, to), &whole, 1e-14);
    assert_close(&normal().flow(whole, to, from), &states(), 1e-13);
    let exploded = normal().flow(states(), from, exploding(1.0));
    assert_close(&exploded, &(half * exploding(1.0).scale()), 1e-14);
}

#[test]
fn every_teacher_answers_alike_in_the_units_of_both_processes() {
    let images = f64_tensor(&[1.0, 0.5, -1.2, 0.8, 0.2, -1.5, 0.9, 0.4], [4, 2, 1, 1]);
    let ideal = IdealDenoiser::new(images).expect("four images");
    let teachers: [&dyn Denoiser; 3] = [&mixture(), &ideal, &normal()];
    for teacher in teachers {
        for log_snr in [-20.0, -2.0, 0.0, 4.0, 20.0] {
            let (at, other) = (level(log_snr), exploding(log_snr));
            let x_hat = teacher.denoise(states(), at);
            let same = teacher.denoise(states() * other.scale(), other);
            // The states are rounded at 1e-16, which the ideal denoiser sees 1/σ times: the images
            // are 1 apart and the exponent is a distance over 2σ².
            assert_close(&same, &x_hat, 1e-13 / at.sigma().min(1.0));
        }
    }
    // Densities differ by the volume of the units, scores by their inverse length.
    let (at, other) = (level(-2.0), exploding(-2.0));
    let scaled = states() * other.scale();
    let density = mixture().log_density(scaled.clone(), other) + 2.0 * other.scale().ln();
    assert_close(&density, &mixture().log_density(states(), at), 1e-14);
    let score = mixture().score(scaled, other) * other.scale();
    assert_close(&score, &mixture().score(states(), at), 1e-14);
}

#[test]
fn impossible_normal_distributions_are_refused_with_their_numbers() {
    let length = AnalyticError::GaussianLength { mean: 3, std: 2 };
    assert_eq!(Gaussian::new(vec![0.0; 3], vec![1.0; 2]), Err(length));
    assert!(Gaussian::new(vec![], vec![1.0]).is_err());
    assert!(Gaussian::new(vec![0.0], vec![]).is_err());
    assert!(Gaussian::new(vec![0.0, f64::NAN], vec![1.0]).is_err());
    let std = AnalyticError::Value {
        what: "std of value",
        index: 1,
        value: -1.0,
        expected: "a positive finite number",
    };
    assert_eq!(Gaussian::new(vec![0.0; 2], vec![1.0, -1.0]), Err(std));
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
    let std = AnalyticError::Value {
        what: "std of component",
        index: 0,
        value: 0.0,
        expected: "a positive finite number",
    };
    assert_eq!(new(vec![1.0], vec![vec![0.0]], vec![0.0]), Err(std));
    let weight = AnalyticError::Value {
        what: "weight of component",
        index: 0,
        value: -1.0,
        expected: "a positive finite number",
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
    let teacher = AnalyticTeacher::Gaussian(normal());
    let file = "kind = \"gaussian\"\nmean = [0.3, -0.2]\nstd = [0.5, 0.1]\n";
    assert_eq!(toml::to_string(&teacher).expect("serialises"), file);
    assert_eq!(toml::from_str(file), Ok(teacher));
    let refused = [
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [1.0]\nvars = [1.0]",
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]",
        "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [0.0]",
        "kind = 'gaussian'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [1.0]",
        "kind = 'gaussian'\nmean = [0.0, 1.0, 2.0]\nstd = [1.0, 2.0]",
        "kind = 'gaussian'\nmean = [0.0]\nstd = [0.0]",
        "kind = 'normal'\nmean = [0.0]\nstd = [1.0]",
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
