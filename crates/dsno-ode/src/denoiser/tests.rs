use std::cell::Cell;

use burn::tensor::DType;

use super::*;
use crate::analytic::GaussianMixture;
use crate::test_support::{
    assert_close, ddpm, exploding, f64_tensor, level, mixture, states, values,
};
use crate::{CosineSchedule, EdmSchedule, LinearBetaSchedule, Prediction, Schedule};

#[test]
fn guidance_mixes_the_two_models() {
    let (of_class, of_any) = (from_fn(|z, _| z * 0.5), from_fn(|z, _| z * -0.25 + 1.0));
    for (scale, gain, offset) in [(0.0, -0.25, 1.0), (1.0, 0.5, 0.0), (3.0, 2.0, -2.0)] {
        let model = ClassifierFreeGuidance::new(&of_class, &of_any, scale).expect("finite");
        let expected = states() * gain + offset;
        assert_close(&model.denoise(states(), level(0.3)), &expected, 1e-15);
    }
}

#[test]
fn guidance_calls_the_unconditional_model_only_where_it_acts() {
    let calls = Cell::new((0, 0));
    let of_class = from_fn(|z, _| {
        calls.set((calls.get().0 + 1, calls.get().1));
        z
    });
    let of_any = from_fn(|z, _| {
        calls.set((calls.get().0, calls.get().1 + 1));
        z * 2.0
    });
    let guided = |scale| ClassifierFreeGuidance::new(&of_class, &of_any, scale).expect("finite");
    let limited = guided(2.0).within(-1.0..=2.0).expect("rising");
    for (log_snr, both) in [(-1.1, false), (-1.0, true), (2.0, true), (2.1, false)] {
        calls.set((0, 0));
        let x_hat = limited.denoise(states(), level(log_snr));
        assert_eq!(calls.get(), (1, usize::from(both)), "λ = {log_snr}");
        // 2 · z − 2 z with guidance, z without.
        let expected = if both { states() * 0.0 } else { states() };
        assert_close(&x_hat, &expected, 0.0);
    }
    calls.set((0, 0));
    guided(1.0).denoise(states(), level(0.0));
    assert_eq!(calls.get(), (1, 0));
}

#[test]
fn guiding_the_prediction_is_guiding_the_noise() {
    let narrow = GaussianMixture::new(vec![1.0], vec![vec![1.0, 0.5]], vec![0.25]).expect("valid");
    let (scale, at) = (4.0, level(-0.8));
    let model = ClassifierFreeGuidance::new(&narrow, mixture(), scale).expect("finite");
    let eps =
        |model: &dyn Denoiser| Prediction::X.to_epsilon(model.denoise(states(), at), states(), at);
    // The convention of Ho and Salimans, with their w = 3.
    let expected = eps(&narrow) * 4.0 - eps(&mixture()) * 3.0;
    assert_close(&eps(&model), &expected, 1e-13);
}

#[test]
fn impossible_options_are_refused_with_their_numbers() {
    let new = |scale| ClassifierFreeGuidance::new(mixture(), mixture(), scale);
    assert!(new(f64::NAN).is_err());
    let scale = DenoiserError::GuidanceScale {
        scale: f64::INFINITY,
    };
    assert_eq!(new(f64::INFINITY).err(), Some(scale));
    let interval = DenoiserError::GuidanceInterval {
        low: 2.0,
        high: 1.0,
    };
    let reversed = new(2.0).expect("finite").within(2.0..=1.0);
    assert_eq!(reversed.err(), Some(interval));
    assert!(new(2.0).expect("finite").within(f64::NAN..=1.0).is_err());
    for percentile in [0.0, 1.1, f64::NAN] {
        assert!(DynamicThreshold::new(mixture(), percentile).is_err());
    }
    let threshold = DynamicThreshold::new(mixture(), 0.9).expect("inside");
    let largest = DenoiserError::LargestThreshold { largest: 0.5 };
    assert_eq!(threshold.at_most(0.5).err(), Some(largest));
}

#[test]
fn clamping_holds_values_and_hides_no_broken_ones() {
    let model = Clamped::new(from_fn(|z, _| z));
    let bad = f64_tensor(
        &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5, -3.0, 2.0],
        [1, 6, 1, 1],
    );
    let x_hat = values(&model.denoise(bad, level(0.0)));
    assert!(x_hat[..3].iter().all(|value| value.is_nan()), "{x_hat:?}");
    assert_eq!(x_hat[3..], [0.5, -1.0, 1.0]);
}

#[test]
fn a_threshold_of_every_value_is_the_largest_of_the_sample() {
    let model = DynamicThreshold::new(from_fn(|z, _| z), 1.0).expect("inside");
    let x_hat = values(&model.denoise(states(), level(0.0)));
    let expected = [1.0, -0.3 / 1.7, 0.1, 0.2, -1.0, 0.55];
    for (found, expected) in x_hat.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-15);
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let poisoned = f64_tensor(&[bad, 3.0, 0.5, 0.1], [2, 2, 1, 1]);
        let x_hat = values(&model.denoise(poisoned, level(0.0)));
        assert!(x_hat[0].is_nan(), "{bad} is hidden");
        assert_eq!(x_hat[2..], [0.5, 0.1]);
    }
    let empty = f64_tensor(&[], [0, 2, 1, 1]);
    assert_eq!(model.denoise(empty, level(0.0)).dims(), [0, 2, 1, 1]);
}

#[test]
fn a_threshold_is_that_of_the_sorted_values_in_every_float_type() {
    // Many repeated values, and repeated ones at the quantile itself.
    let pixels: Vec<f64> = (0..6 * 40)
        .map(|i| (f64::from(i * i % 17) - 8.0) * f64::from(1 + i / 40))
        .collect();
    let z_t = f64_tensor(&pixels, [6, 1, 4, 10]);
    for percentile in [0.01, 0.3, 0.77, 0.9, 0.995] {
        let model = DynamicThreshold::new(from_fn(|z, _| z), percentile).expect("inside");
        let expected = pixels.chunks(40).flat_map(|row| {
            let mut sorted: Vec<f64> = row.iter().map(|v| v.abs()).collect();
            sorted.sort_by(f64::total_cmp);
            let place = percentile * 39.0;
            let (k, part) = (place.floor() as usize, place.fract());
            let s = (sorted[k] * (1.0 - part) + sorted[k + 1] * part).max(1.0);
            row.iter()
                .map(move |v| v.clamp(-s, s) / s)
                .collect::<Vec<_>>()
        });
        let expected = f64_tensor(&expected.collect::<Vec<_>>(), [6, 1, 4, 10]);
        assert_close(&model.denoise(z_t.clone(), level(0.0)), &expected, 1e-14);
        // The values are small integers, exact in every type; the division is rounded.
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F16, 1e-3), (DType::BF16, 1e-2)] {
            let found = model.denoise(z_t.clone().cast(dtype), level(0.0));
            assert_eq!(found.dtype(), dtype);
            assert_close(&found.cast(DType::F64), &expected, tolerance);
        }
    }
}

/// A network that knows the mixture, with inputs in the units of `seen`, that predicts `prediction`.
fn network(prediction: Prediction, z: Tensor<4>, seen: NoiseLevel) -> Tensor<4> {
    let x_hat = mixture().denoise(z.clone(), seen);
    let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z, seen);
    prediction.target(x_hat, eps_hat, seen)
}

/// The level that a network computes from its conditioning.
type Reader = Box<dyn Fn(f64) -> NoiseLevel>;

#[test]
fn every_conditioning_and_prediction_drives_the_same_denoiser() {
    let table = ddpm();
    let (cosine, edm) = (CosineSchedule::default(), EdmSchedule::default());
    let linear = LinearBetaSchedule::default();
    let entries = table.clone();
    let at_index = move |index: f64| entries.at(entries.time_of(index));
    let cases: Vec<(Conditioning, Reader)> = vec![
        (Conditioning::log_snr(), Box::new(level)),
        (Conditioning::log_snr().exploding(), Box::new(exploding)),
        (
            Conditioning::sigma(),
            Box::new(NoiseLevel::variance_exploding),
        ),
        (
            Conditioning::sigma().preserving(),
            Box::new(|sigma: f64| level(-2.0 * sigma.ln())),
        ),
        (Conditioning::time(cosine), Box::new(move |t| cosine.at(t))),
        (Conditioning::time(edm), Box::new(move |t| edm.at(t))),
        (Conditioning::time(linear), Box::new(move |t| linear.at(t))),
        (Conditioning::index(table), Box::new(at_index)),
    ];
    for (conditioning, read) in &cases {
        for prediction in [
            Prediction::X,
            Prediction::Epsilon,
            Prediction::V,
            Prediction::Score,
        ] {
            let model = Conditioned::new(conditioning.clone(), prediction, |z, value| {
                network(prediction, z, read(value))
            });
            for log_snr in [-4.0, 0.3, 5.0] {
                for at in [level(log_snr), exploding(log_snr)] {
                    let z_t = states() * at.scale();
                    let expected = mixture().denoise(z_t.clone(), at);
                    // x̂ → ε̂ → x̂ divides by σ and by α, each e^(-2.5) or so, and the levels come back
                    // from a time with a rounding of 1e-13.
                    assert_close(&model.denoise(z_t, at), &expected, 1e-11);
                }
            }
        }
    }
}

#[test]
fn a_rounded_index_is_an_entry() {
    let table = ddpm();
    let told = Cell::new(f64::NAN);
    let model = Conditioned::new(
        Conditioning::rounded_index(table.clone()),
        Prediction::X,
        |z, index| {
            told.set(index);
            z
        },
    );
    for index in [0.0, 17.3, 17.7, 999.0] {
        model.denoise(states(), table.at(table.time_of(index)));
        assert_eq!(told.get(), f64::round(index));
    }
    model.denoise(states(), level(f64::INFINITY));
    assert_eq!(told.get(), 0.0);
}
