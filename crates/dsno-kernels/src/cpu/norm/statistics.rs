//! Means and deviations without loss of digits, in one pass over an image.
//!
//! Every channel is first shifted by the mean of the image's first eighth: then the sum of squares
//! is at most about eight times what it is around the true mean, however far from zero that lies,
//! and its difference from it costs no digits. Sums of at most [`RUN`] shifted numbers are taken in
//! `f32`, sums of those in `f64`.

use pulp::{Arch, Simd, WithSimd};

use super::period::{folded, period, repeated};

/// Numbers in one place of a period that are summed before they join the sum in `f64`.
pub(super) const RUN: usize = 64;

/// Vectors that are summed side by side, for the processor to overlap.
pub(super) const ABREAST: usize = 4;

/// What one group of one image is normalised with.
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
    let pixels = image.len() / channels;
    let head = &image[..pixels.div_ceil(8) * channels];
    let zero = vec![0.0; channels];
    let (pivot, _) = Arch::new().dispatch(Sums {
        image: head,
        pivot: &zero,
    });
    let share = 1.0 / (head.len() / channels) as f64;
    let pivot: Vec<f32> = pivot.iter().map(|&sum| (sum * share) as f32).collect();
    let (sums, squares) = Arch::new().dispatch(Sums {
        image,
        pivot: &pivot,
    });

    let (pixels, width) = (pixels as f64, channels / groups);
    let (share, weight) = (1.0 / pixels, 1.0 / width as f64);
    for (group, moments) in moments.iter_mut().enumerate() {
        let members = group * width..(group + 1) * width;
        let mean_of = |c: usize| f64::from(pivot[c]) + sums[c] * share;
        let mean = members.clone().map(mean_of).sum::<f64>() * weight;
        let around = |c: usize| {
            let own = squares[c] * share - (sums[c] * share).powi(2);
            own.max(0.0) + (mean_of(c) - mean).powi(2)
        };
        let variance = members.map(around).sum::<f64>() * weight;
        moments.mean = mean as f32;
        moments.mean_rest = (mean - f64::from(moments.mean)) as f32;
        moments.inverse_deviation = (1.0 / (variance + epsilon).sqrt()) as f32;
    }
}

/// Sums of `x − pivot` and of its squares, per channel.
struct Sums<'a> {
    image: &'a [f32],
    /// `[C]`.
    pivot: &'a [f32],
}

impl WithSimd for Sums<'_> {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let channels = self.pivot.len();
        let strip = ABREAST * S::F32_LANES;
        let period = period(channels, strip);
        let pivot = repeated(self.pivot, period);
        let mut totals = (vec![0.0; period], vec![0.0; period]);
        // Parts that the first-level cache holds.
        let length = (4096 / period).clamp(4, RUN) * period;
        for run in self.image.chunks(length) {
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
                        squares[i] = simd.mul_add_e_f32s(d, d, squares[i]);
                    }
                }
                add(&mut totals.0[at..], bytemuck::cast_slice(&sums));
                add(&mut totals.1[at..], bytemuck::cast_slice(&squares));
            }
            for (i, x) in run[whole..].iter().enumerate() {
                let d = f64::from(*x) - f64::from(pivot[i]);
                totals.0[i] += d;
                totals.1[i] += d * d;
            }
        }
        (folded(&totals.0, channels), folded(&totals.1, channels))
    }
}

/// Adds each number to its sum.
#[inline(always)]
pub(super) fn add(sums: &mut [f64], numbers: &[f32]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += f64::from(*number);
    }
}
