//! Gradients through one image's normalisation.
//!
//! With `dp` the gradient before SiLU, `m` the size of a group, and `γ'` the factor after `x̂`:
//!
//! ```text
//! dx = (γ'·dp − (Σ γ'·dp + x̂·Σ γ'·dp·x̂)/m)/√(variance + ε)        sums over the group
//! ```
//!
//! The first pass makes `dp` and both sums of each channel, the second one `dx`.

use pulp::{Arch, Simd, WithSimd};

use super::Affine;
use super::period::{Rows, fold, period, repeated};
use super::statistics::{ABREAST, Moments, RUN, add};
use crate::cpu::activation::silu_slope;

/// Where one image's gradients go.
#[derive(Debug)]
pub(crate) struct ImageGradient<'a> {
    /// `[pixels, C]`, in one piece.
    pub(crate) dx: &'a mut [f32],
    /// `Σ dp·x̂` of each channel.
    pub(crate) d_gain: &'a mut [f32],
    /// `Σ dp` of each channel.
    pub(crate) d_offset: &'a mut [f32],
}

/// Gradients of one image from `d_out`, that of [`super::apply`]'s result, laid out as there.
pub(crate) fn backward_image(
    image: &[f32],
    affine: &Affine<'_>,
    moments: &[Moments],
    silu: bool,
    d_out: &[f32],
    rows: Rows,
    gradient: ImageGradient<'_>,
) {
    let ImageGradient {
        dx,
        d_gain,
        d_offset,
    } = gradient;
    let (channels, groups) = (affine.mean.len(), moments.len());
    assert!(
        image.len() == dx.len() && channels.is_multiple_of(groups),
        "maps of one shape"
    );
    let (sums, products) = if silu {
        Arch::new().dispatch(First::<true> {
            image,
            affine,
            d_out,
            rows,
            dp: dx,
        })
    } else {
        Arch::new().dispatch(First::<false> {
            image,
            affine,
            d_out,
            rows,
            dp: dx,
        })
    };

    let width = channels / groups;
    let size = (image.len() / groups) as f64;
    let (mut slope, mut constant) = (vec![0.0; channels], vec![0.0; channels]);
    for (group, moments) in moments.iter().enumerate() {
        let members = group * width..(group + 1) * width;
        let (rest, inverse) = (
            f64::from(moments.mean_rest),
            f64::from(moments.inverse_deviation),
        );
        let (mut sum, mut product) = (0.0, 0.0);
        for c in members.clone() {
            let around = products[c] - rest * sums[c];
            d_gain[c] = (around * inverse) as f32;
            d_offset[c] = sums[c] as f32;
            sum += f64::from(affine.gain[c]) * sums[c];
            product += f64::from(affine.gain[c]) * around;
        }
        let factor = -product * inverse * inverse / size;
        slope[members.clone()].fill(factor as f32);
        constant[members].fill((-sum / size - rest * factor) as f32);
    }
    let (mean, gain) = (affine.mean, affine.gain);
    Arch::new().dispatch(Second {
        image,
        dx,
        mean,
        gain,
        slope: &slope,
        constant: &constant,
    });
}

/// `dp`, and per channel `Σ dp` and `Σ dp·(x − mean)`.
struct First<'a, const SILU: bool> {
    image: &'a [f32],
    affine: &'a Affine<'a>,
    d_out: &'a [f32],
    rows: Rows,
    dp: &'a mut [f32],
}

impl<const SILU: bool> WithSimd for First<'_, SILU> {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let channels = self.affine.mean.len();
        let lanes = S::F32_LANES;
        let period = period(channels, ABREAST * lanes);
        let [mean, gain, offset] =
            [self.affine.mean, self.affine.gain, self.affine.offset].map(|of| repeated(of, period));
        let (means, gains) = (S::as_simd_f32s(&mean).0, S::as_simd_f32s(&gain).0);
        let offsets = S::as_simd_f32s(&offset).0;
        let mut totals = (vec![0.0; period], vec![0.0; period]);
        let mut partial = vec![[simd.splat_f32s(0.0); 2]; period / lanes];
        let mut held = 0;
        // Parts of three maps that the first-level cache holds together.
        let run = (2048 / period).clamp(4, RUN) * period;
        for (from, to) in self.rows.starts(self.image.len()) {
            let row = &self.image[from..][..self.rows.length];
            let d_row = &self.d_out[to..][..self.rows.length];
            let dp_row = &mut self.dp[from..][..self.rows.length];
            let runs = row.chunks(run).zip(d_row.chunks(run));
            for ((x, dy), dp) in runs.zip(dp_row.chunks_mut(run)) {
                let whole = x.len() / period * period;
                if held + x.len().div_ceil(period) > RUN {
                    flush::<S>(&mut partial, &mut totals);
                    held = 0;
                }
                held += x.len().div_ceil(period);
                for at in (0..period / lanes).step_by(ABREAST) {
                    let mut sums = [[simd.splat_f32s(0.0); 2]; ABREAST];
                    sums.copy_from_slice(&partial[at..][..ABREAST]);
                    let (means, gains) = (&means[at..][..ABREAST], &gains[at..][..ABREAST]);
                    let offsets = &offsets[at..][..ABREAST];
                    let strip = at * lanes..(at + ABREAST) * lanes;
                    let rows = x[..whole].chunks_exact(period).zip(dy.chunks_exact(period));
                    for ((x, dy), dp) in rows.zip(dp.chunks_exact_mut(period)) {
                        let x = S::as_simd_f32s(&x[strip.clone()]).0;
                        let dy = S::as_simd_f32s(&dy[strip.clone()]).0;
                        let dp = S::as_mut_simd_f32s(&mut dp[strip.clone()]).0;
                        for i in 0..ABREAST {
                            let affine = [means[i], gains[i], offsets[i]];
                            let (d, centred) = before::<SILU, S>(simd, x[i], dy[i], affine);
                            dp[i] = d;
                            sums[i][0] = simd.add_f32s(sums[i][0], d);
                            sums[i][1] = simd.mul_add_e_f32s(d, centred, sums[i][1]);
                        }
                    }
                    partial[at..][..ABREAST].copy_from_slice(&sums);
                }
                let tail = x[whole..].chunks(lanes).zip(dy[whole..].chunks(lanes));
                for (at, ((x, dy), dp)) in tail.zip(dp[whole..].chunks_mut(lanes)).enumerate() {
                    let (x, dy) = (simd.partial_load_f32s(x), simd.partial_load_f32s(dy));
                    let affine = [means[at], gains[at], offsets[at]];
                    let (d, centred) = before::<SILU, S>(simd, x, dy, affine);
                    simd.partial_store_f32s(dp, d);
                    let [sum, product] = &mut partial[at];
                    *sum = simd.add_f32s(*sum, d);
                    *product = simd.mul_add_e_f32s(d, centred, *product);
                }
            }
        }
        flush::<S>(&mut partial, &mut totals);
        fold(&mut totals.0, channels);
        fold(&mut totals.1, channels);
        totals
    }
}

/// `dp`, and `x − mean`.
#[inline(always)]
fn before<const SILU: bool, S: Simd>(
    simd: S,
    x: S::f32s,
    dy: S::f32s,
    [mean, gain, offset]: [S::f32s; 3],
) -> (S::f32s, S::f32s) {
    let centred = simd.sub_f32s(x, mean);
    if !SILU {
        return (dy, centred);
    }
    let p = simd.mul_add_e_f32s(centred, gain, offset);
    (simd.mul_f32s(dy, silu_slope(simd, p)), centred)
}

/// Moves sums in `f32` to those in `f64`.
#[inline(always)]
fn flush<S: Simd>(partial: &mut [[S::f32s; 2]], totals: &mut (Vec<f64>, Vec<f64>)) {
    let lanes = S::F32_LANES;
    for (at, sums) in partial.iter_mut().enumerate() {
        let numbers: &mut [f32] = bytemuck::cast_slice_mut(&mut sums[..]);
        add(&mut totals.0[at * lanes..], &numbers[..lanes]);
        add(&mut totals.1[at * lanes..], &numbers[lanes..]);
        numbers.fill(0.0);
    }
}

/// `dx = gain·dp + (x − mean)·slope + constant`, in the place of `dp`.
struct Second<'a> {
    image: &'a [f32],
    dx: &'a mut [f32],
    mean: &'a [f32],
    gain: &'a [f32],
    slope: &'a [f32],
    constant: &'a [f32],
}

impl WithSimd for Second<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let period = period(self.mean.len(), S::F32_LANES);
        let tables = [self.mean, self.gain, self.slope, self.constant];
        let tables = tables.map(|of| repeated(of, period));
        let [means, gains, slopes, constants] =
            [&tables[0], &tables[1], &tables[2], &tables[3]].map(|of| S::as_simd_f32s(of).0);
        let ((x, x_tail), (dx, dx_tail)) =
            (S::as_simd_f32s(self.image), S::as_mut_simd_f32s(self.dx));
        let mut at = 0;
        for (x, dx) in x.iter().zip(dx) {
            let affine = [means[at], gains[at], slopes[at], constants[at]];
            *dx = after(simd, *x, *dx, affine);
            at += 1;
            if at == means.len() {
                at = 0;
            }
        }
        if !x_tail.is_empty() {
            let (last, dp) = (
                simd.partial_load_f32s(x_tail),
                simd.partial_load_f32s(dx_tail),
            );
            let affine = [means[at], gains[at], slopes[at], constants[at]];
            simd.partial_store_f32s(dx_tail, after(simd, last, dp, affine));
        }
    }
}

/// `dx`.
#[inline(always)]
fn after<S: Simd>(simd: S, x: S::f32s, dp: S::f32s, affine: [S::f32s; 4]) -> S::f32s {
    let [mean, gain, slope, constant] = affine;
    let rest = simd.mul_add_e_f32s(simd.sub_f32s(x, mean), slope, constant);
    simd.mul_add_e_f32s(gain, dp, rest)
}
