//! Means and deviations without loss of digits, in one pass over an image.
//!
//! Every channel is first shifted by the mean of the image's first eighth: then the sum of squares
//! is at most about eight times what it is around the true mean, however far from zero that lies,
//! and its difference from it costs no digits. Sums of at most [`RUN`] shifted values are taken in
//! `f32`, sums of those in `f64`.

use pulp::{Arch, Simd, WithSimd};

use super::period::{fold, period};
use crate::cpu::scratch::Scratch;

/// Values in one place of a period that are summed before they join the sum in `f64`.
pub(super) const RUN: usize = 64;

/// Vectors that are summed side by side, for the processor to overlap.
pub(super) const ABREAST: usize = 4;

/// Mean and deviation of one group of one image.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f32,
    /// The exact mean less `mean`: beside a small deviation, the rounding of a large mean counts.
    pub(crate) mean_rest: f32,
    /// `1/√(variance + ε)`, the variance that of the population.
    pub(crate) inverse_deviation: f32,
}

/// Moments of one image, `[pixels, channels]`, into one entry for each group of channels.
pub(crate) fn statistics_of(
    image: &[f32],
    channels: usize,
    groups: usize,
    epsilon: f64,
    moments: &mut [Moments],
) {
    assert!(
        channels.is_multiple_of(groups) && moments.len() == groups,
        "groups of equal size"
    );
    Arch::new().dispatch(Pass {
        image,
        channels,
        epsilon,
        moments,
    });
}

/// Passes over an image: over its first eighth, then over all of it.
struct Pass<'a> {
    image: &'a [f32],
    channels: usize,
    epsilon: f64,
    moments: &'a mut [Moments],
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, groups) = (self.channels, self.moments.len());
        let period = period(channels, ABREAST * S::F32_LANES);
        let mut memory = Scratch::take(5 * period);
        let (totals, pivot) = memory.split_at_mut(4 * period);
        let (sums, squares) = bytemuck::cast_slice_mut(totals).split_at_mut(period);

        let head = &self.image[..(self.image.len() / channels).div_ceil(8) * channels];
        pivot.fill(0.0);
        sums.fill(0.0);
        total::<false, S>(simd, head, pivot, [&mut *sums, &mut *squares]);
        fold(sums, channels);
        let share = channels as f64 / head.len() as f64;
        for place in pivot.chunks_exact_mut(channels) {
            for (pivot, sum) in place.iter_mut().zip(&*sums) {
                *pivot = (sum * share) as f32;
            }
        }
        sums.fill(0.0);
        squares.fill(0.0);
        total::<true, S>(simd, self.image, pivot, [&mut *sums, &mut *squares]);
        fold(sums, channels);
        fold(squares, channels);

        // Means and variances of channels, then of groups, in the places of the sums.
        let share = channels as f64 / self.image.len() as f64;
        for ((sum, square), pivot) in sums.iter_mut().zip(&mut *squares).zip(&*pivot) {
            let beside = *sum * share;
            *square = (*square * share - beside * beside).max(0.0);
            *sum = f64::from(*pivot) + beside;
        }
        let width = channels / groups;
        let weight = 1.0 / width as f64;
        for group in 0..groups {
            let (means, variances) = (
                &sums[group * width..][..width],
                &squares[group * width..][..width],
            );
            let mean = means.iter().sum::<f64>() * weight;
            let around = means
                .iter()
                .zip(variances)
                .map(|(own, variance)| variance + (own - mean) * (own - mean));
            let variance = around.sum::<f64>() * weight;
            (sums[group], squares[group]) = (mean, variance);
        }
        for variance in &mut squares[..groups] {
            *variance = 1.0 / (*variance + self.epsilon).sqrt();
        }
        for ((moments, mean), inverse) in self.moments.iter_mut().zip(&*sums).zip(&*squares) {
            moments.mean = *mean as f32;
            moments.mean_rest = (mean - f64::from(moments.mean)) as f32;
            moments.inverse_deviation = *inverse as f32;
        }
    }
}

/// Adds `x − pivot` and, if wanted, its squares to the sums of each place in a period.
#[inline(always)]
fn total<const SQUARES: bool, S: Simd>(
    simd: S,
    image: &[f32],
    pivot: &[f32],
    [all_sums, all_squares]: [&mut [f64]; 2],
) {
    let (period, strip) = (pivot.len(), ABREAST * S::F32_LANES);
    // Parts that the first-level cache holds.
    let length = (4096 / period).clamp(4, RUN) * period;
    for run in image.chunks(length) {
        let whole = run.len() / period * period;
        for at in (0..period).step_by(strip) {
            let (pivot, _) = S::as_simd_f32s(&pivot[at..][..strip]);
            let mut sums = [simd.splat_f32s(0.0); ABREAST];
            let mut squares = sums;
            for row in run[..whole].chunks_exact(period) {
                let (x, _) = S::as_simd_f32s(&row[at..][..strip]);
                for i in 0..ABREAST {
                    let d = simd.sub_f32s(x[i], pivot[i]);
                    sums[i] = simd.add_f32s(sums[i], d);
                    if SQUARES {
                        squares[i] = simd.mul_add_e_f32s(d, d, squares[i]);
                    }
                }
            }
            add(&mut all_sums[at..], bytemuck::cast_slice(&sums));
            if SQUARES {
                add(&mut all_squares[at..], bytemuck::cast_slice(&squares));
            }
        }
        for (i, x) in run[whole..].iter().enumerate() {
            let d = f64::from(*x) - f64::from(pivot[i]);
            all_sums[i] += d;
            if SQUARES {
                all_squares[i] += d * d;
            }
        }
    }
}

/// Adds each number to its sum.
#[inline(always)]
pub(super) fn add(sums: &mut [f64], numbers: &[f32]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += f64::from(*number);
    }
}
