use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::TemporalConv;

/// Slope of the activation for negative values.
const LEAK: f64 = 0.01;

/// Values without structure, all different.
fn waves(len: usize, scale: f64) -> Vec<f64> {
    (0..len)
        .map(|k| scale * (1.7 * k as f64 + 0.3).sin())
        .collect()
}

fn layer(channels: usize, n_modes: usize, device: &Device) -> (TemporalConv, Vec<f64>) {
    let shape = [channels, channels, n_modes, 2];
    let weights = waves(shape.iter().product(), 0.5);
    let data: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
    let weight = Param::from_tensor(Tensor::from_data(TensorData::new(data, shape), device));
    (TemporalConv { weight }, weights)
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The layer by a textbook FFT in f64: one sample, one pixel, `[T, C]` in and out.
fn by_fft(u: &[f64], weights: &[f64], times: usize, channels: usize, n_modes: usize) -> Vec<f64> {
    let mut planner = FftPlanner::new();
    let spectra: Vec<Vec<Complex<f64>>> = (0..channels)
        .map(|c| {
            let mut line: Vec<Complex<f64>> =
                (0..times).map(|t| u[t * channels + c].into()).collect();
            planner.plan_fft_forward(times).process(&mut line);
            line
        })
        .collect();
    let mut out = vec![0.0; times * channels];
    for o in 0..channels {
        // What `irfft` sees: the kept half, mirrored; imaginary parts of its ends ignored.
        let mut line = vec![Complex::new(0.0, 0.0); times];
        for mode in 0..n_modes.min(times / 2 + 1) {
            let at = |i: usize| 2 * (mode + n_modes * (o + channels * i));
            let mut sum: Complex<f64> = (0..channels)
                .map(|i| spectra[i][mode] * Complex::new(weights[at(i)], weights[at(i) + 1]))
                .sum();
            if mode == 0 || 2 * mode == times {
                sum.im = 0.0;
            }
            line[mode] = sum;
            line[(times - mode) % times] = sum.conj();
        }
        planner.plan_fft_inverse(times).process(&mut line);
        for t in 0..times {
            let mixed = line[t].re / times as f64;
            let active = if mixed < 0.0 { LEAK * mixed } else { mixed };
            out[t * channels + o] = u[t * channels + o] + active;
        }
    }
    out
}

/// All numbers of modes that so many times can have; a single time ignores the second.
fn modes_of(times: usize) -> std::ops::RangeInclusive<usize> {
    1..=(times / 2 + 1).max(if times == 1 { 2 } else { 1 })
}

#[test]
fn equals_the_fft_for_every_number_of_times_and_modes() {
    let device = Device::flex();
    let c = 3;
    for times in 1..=17 {
        for n_modes in modes_of(times) {
            let (layer, weights) = layer(c, n_modes, &device);
            let u = waves(times * c, 1.0);
            let found = layer.forward(tensor(&u, [times, c, 1, 1], &device), times);
            let expected = by_fft(&u, &weights, times, c, n_modes);
            // Sums of 17 f32 products of order 1.
            for (found, expected) in found.into_data().iter::<f64>().zip(expected) {
                let error = (found - expected).abs();
                assert!(
                    error < 2e-6,
                    "{times} times, {n_modes} modes: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn samples_and_pixels_do_not_mix() {
    let device = Device::flex();
    let (layer, _) = layer(2, 2, &device);
    let u = tensor(&waves(2 * 4 * 2 * 3 * 3, 1.0), [8, 2, 3, 3], &device);
    let whole = layer.forward(u.clone(), 4);
    let part = layer.forward(u.slice([4..8, 0..2, 1..2, 2..3]), 4);
    let expected = whole.slice([4..8, 0..2, 1..2, 2..3]);
    let error = (part - expected).abs().max().into_scalar::<f32>();
    assert!(error < 1e-6, "{error}");
}

#[test]
fn gradients_are_those_of_finite_differences_for_every_number_of_times_and_modes() {
    for times in 1..=17 {
        for n_modes in modes_of(times) {
            check_gradients(times, n_modes);
        }
    }
}

fn check_gradients(times: usize, n_modes: usize) {
    let device = Device::flex().autodiff();
    let c = 2;
    let (layer, weights) = layer(c, n_modes, &Device::flex());
    let layer = layer.train();
    let u = waves(times * c, 1.0);
    let input = tensor(&u, [times, c, 1, 1], &device).require_grad();
    let probe = waves(times * c, 1.0)
        .into_iter()
        .map(|p| p + 0.2)
        .collect::<Vec<_>>();
    let loss =
        (layer.forward(input.clone(), times) * tensor(&probe, [times, c, 1, 1], &device)).sum();
    let gradients = loss.backward();

    let objective = |u: &[f64], weights: &[f64]| -> f64 {
        by_fft(u, weights, times, c, n_modes)
            .iter()
            .zip(&probe)
            .map(|(y, p)| y * p)
            .sum()
    };
    let check = |found: TensorData, at: &dyn Fn(usize, f64) -> f64| {
        for (k, found) in found.iter::<f64>().enumerate() {
            // Piecewise linear in f64: the central difference is exact but for rounding.
            let expected = (at(k, 1e-6) - at(k, -1e-6)) / 2e-6;
            assert!(
                (found - expected).abs() < 1e-5,
                "{times} times, {n_modes} modes, entry {k}: {found} {expected}"
            );
        }
    };
    let moved = |values: &[f64], k: usize, h: f64| {
        let mut values = values.to_vec();
        values[k] += h;
        values
    };
    let of_input = input.grad(&gradients).unwrap();
    check(of_input.into_data(), &|k, h| {
        objective(&moved(&u, k, h), &weights)
    });
    let of_weight = layer.weight.val().grad(&gradients).unwrap();
    check(of_weight.into_data(), &|k, h| {
        objective(&u, &moved(&weights, k, h))
    });
}

#[test]
#[should_panic(expected = "4 modes do not fit 4 times, which have 3")]
fn more_modes_than_times_have_is_refused() {
    let device = Device::flex();
    let layer = TemporalConv::init(1, 4, 0, &device);
    layer.forward(Tensor::zeros([4, 1, 1, 1], &device), 4);
}
