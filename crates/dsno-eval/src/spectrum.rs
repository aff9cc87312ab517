//! How the energy of trajectories spreads over frequencies in time.

use burn::tensor::Tensor;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::NotFloat;
use crate::host::to_host;

/// Energy of one sampler's trajectories over temporal frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The sampler.
    pub name: String,
    /// The times of the trajectory, noise first.
    pub times: Vec<f64>,
    /// Share of each frequency in the energy, lowest frequency first.
    pub shares: Vec<f64>,
}

impl Spectrum {
    /// Measures trajectories `[N, T, C, H, W]` at `times`, as [`temporal_spectrum`] does.
    ///
    /// # Errors
    ///
    /// [`NotFloat`] if the trajectories cannot be brought to the host.
    ///
    /// # Panics
    ///
    /// If there are not `T` times.
    pub fn of(name: &str, times: Vec<f64>, states: Tensor<5>) -> Result<Self, NotFloat> {
        let [_, t, c, h, w] = states.dims();
        assert_eq!(t, times.len(), "a trajectory has one state for each time");
        Ok(Self {
            name: name.to_owned(),
            times,
            shares: temporal_spectrum(&to_host(states)?, t, c * h * w),
        })
    }
}

/// Mean share of each temporal frequency in the energy of trajectories.
///
/// ```text
/// s_k = ⟨ w_k |Σ_j u_j e^(−2πi jk/T)|² ⟩ / Σ_k same,   k = 0 … T/2,   w_k = 1 at DC and Nyquist, else 2
/// ```
///
/// The mean runs over samples, channels and pixels. The transform is over the index of the time
/// point, as in the operator's own temporal convolution, so it treats the points as equispaced.
///
/// # Shapes
///
/// | value    | shape                | range and unit       |
/// |----------|----------------------|----------------------|
/// | `states` | `[N, T, P]`, flat    | pixel units          |
/// | returned | `T/2 + 1`            | shares that sum to 1 |
///
/// # Examples
///
/// ```
/// // One pixel that alternates has only the highest frequency.
/// let shares = dsno_eval::spectrum::temporal_spectrum(&[1.0, -1.0, 1.0, -1.0], 4, 1);
/// assert_eq!(shares, [0.0, 0.0, 1.0]);
/// ```
pub fn temporal_spectrum(states: &[f32], times: usize, pixels: usize) -> Vec<f64> {
    let transform = FftPlanner::<f64>::new().plan_fft_forward(times);
    let mut energy = vec![0.0; times / 2 + 1];
    let mut line = vec![Complex::new(0.0, 0.0); times];
    for sample in states.chunks_exact(times * pixels) {
        for pixel in 0..pixels {
            for (t, value) in line.iter_mut().enumerate() {
                *value = Complex::new(f64::from(sample[t * pixels + pixel]), 0.0);
            }
            transform.process(&mut line);
            for (k, sum) in energy.iter_mut().enumerate() {
                let twice = k > 0 && 2 * k < times;
                *sum += line[k].norm_sqr() * if twice { 2.0 } else { 1.0 };
            }
        }
    }
    let total: f64 = energy.iter().sum();
    energy
        .iter()
        .map(|e| if total > 0.0 { e / total } else { 0.0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_trajectory_has_only_the_lowest_frequency() {
        let shares = temporal_spectrum(&[3.0; 10], 5, 2);
        assert!((shares[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_cosine_has_only_its_own() {
        let states: Vec<f32> = (0..8)
            .map(|j| (std::f32::consts::TAU * 2.0 * j as f32 / 8.0).cos())
            .collect();
        let shares = temporal_spectrum(&states, 8, 1);
        assert_eq!(shares.len(), 5);
        assert!((shares[2] - 1.0).abs() < 1e-6);
    }
}
