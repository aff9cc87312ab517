//! The softmax of rows of scores, as numerators with one inverse sum per row, and its gradient.

use pulp::{Arch, Simd, WithSimd};

/// `1.5·2²³`: a sum with it is rounded to a whole number, which stands in its lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `2ʳ` on `|r| ≤ 1/2`, from the constant term on: minimax of the relative error, 2e-8 as rounded.
const POWER: [f32; 7] = [
    1.0,
    0.693_147_24,
    0.240_226_52,
    0.055_503_104,
    0.009_617_693,
    0.001_340_664_3,
    0.000_155_946_78,
];

/// Layout and scale of some rows of scores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// Distance from one row to the next.
    pub(super) stride: usize,
    /// Values in a row, without padding.
    pub(super) length: usize,
    /// `1/√d`.
    pub(super) factor: f32,
}

impl Rows {
    /// `exp(factor·(score − largest))` in place, and for each row the inverse of its sum.
    pub(super) fn numerators(self, scores: &mut [f32], inverses: &mut [f32]) {
        Arch::new().dispatch(Numerators {
            rows: self,
            scores,
            inverses,
        });
    }

    /// Gradients of scores from those of probabilities `p`, numerators times inverses, in place:
    /// `dp ← factor·p·(dp − Σ p·dp)`.
    pub(super) fn gradient(self, numerators: &[f32], inverses: &[f32], dp: &mut [f32]) {
        Arch::new().dispatch(Gradient {
            rows: self,
            numerators,
            inverses,
            dp,
        });
    }
}

struct Numerators<'a> {
    rows: Rows,
    scores: &'a mut [f32],
    inverses: &'a mut [f32],
}

impl WithSimd for Numerators<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Rows {
            stride,
            length,
            factor,
        } = self.rows;
        let factor = simd.splat_f32s(factor * std::f32::consts::LOG2_E);
        for (row, inverse) in self.scores.chunks_mut(stride).zip(self.inverses) {
            let (vectors, tail) = S::as_mut_simd_f32s(&mut row[..length]);
            let mut highest = simd.splat_f32s(f32::NEG_INFINITY);
            for &x in &*vectors {
                highest = simd.max_f32s(highest, x);
            }
            let highest = simd.reduce_max_f32s(highest);
            let highest = tail.iter().fold(highest, |a, &b| a.max(b));
            let highest = simd.splat_f32s(highest);
            let mut sum = simd.splat_f32s(0.0);
            for x in vectors {
                *x = power(simd, simd.mul_f32s(simd.sub_f32s(*x, highest), factor));
                sum = simd.add_f32s(sum, *x);
            }
            let last = simd.sub_f32s(simd.partial_load_f32s(tail), highest);
            simd.partial_store_f32s(tail, power(simd, simd.mul_f32s(last, factor)));
            *inverse = 1.0 / (simd.reduce_sum_f32s(sum) + tail.iter().sum::<f32>());
        }
    }
}

/// `2ˣ` for `x ≤ 0`, not below `2⁻¹²⁶`; NaN stays NaN.
#[inline(always)]
fn power<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let least = simd.splat_f32s(-126.0);
    let x = simd.select_f32s(simd.less_than_f32s(x, least), least, x);
    let rounded = simd.add_f32s(x, simd.splat_f32s(ROUND));
    let r = simd.sub_f32s(x, simd.sub_f32s(rounded, simd.splat_f32s(ROUND)));
    let mut sum = simd.splat_f32s(POWER[6]);
    for &term in POWER[..6].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, r, simd.splat_f32s(term));
    }
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), exponent))
}

struct Gradient<'a> {
    rows: Rows,
    numerators: &'a [f32],
    inverses: &'a [f32],
    dp: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Rows {
            stride,
            length,
            factor,
        } = self.rows;
        let rows = self
            .numerators
            .chunks(stride)
            .zip(self.dp.chunks_mut(stride));
        for ((p, dp), &inverse) in rows.zip(self.inverses) {
            let (p, p_tail) = S::as_simd_f32s(&p[..length]);
            let (dp, dp_tail) = S::as_mut_simd_f32s(&mut dp[..length]);
            let p_last = simd.partial_load_f32s(p_tail);
            let dp_last = simd.partial_load_f32s(dp_tail);
            // Lanes beyond the tail are 0 in both.
            let mut sum = simd.mul_f32s(p_last, dp_last);
            for (&p, &dp) in p.iter().zip(&*dp) {
                sum = simd.mul_add_f32s(p, dp, sum);
            }
            let mean = simd.splat_f32s(simd.reduce_sum_f32s(sum) * inverse);
            let factor = simd.splat_f32s(factor * inverse);
            for (&p, dp) in p.iter().zip(dp) {
                *dp = of_score(simd, p, *dp, mean, factor);
            }
            simd.partial_store_f32s(dp_tail, of_score(simd, p_last, dp_last, mean, factor));
        }
    }
}

/// `factor·p·(dp − mean)`.
#[inline(always)]
fn of_score<S: Simd>(simd: S, p: S::f32s, dp: S::f32s, mean: S::f32s, factor: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.mul_f32s(p, factor), simd.sub_f32s(dp, mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::testing::{noise, relative_rms};

    #[test]
    fn powers_are_within_two_units_in_the_last_place() {
        struct Powers<'a>(&'a mut [f32]);
        impl WithSimd for Powers<'_> {
            type Output = ();
            fn with_simd<S: Simd>(self, simd: S) {
                for x in self.0 {
                    let mut lane = [0.0];
                    simd.partial_store_f32s(&mut lane, power(simd, simd.splat_f32s(*x)));
                    *x = lane[0];
                }
            }
        }
        let x: Vec<f32> = noise(1, 20_000).iter().map(|x| -63.0 * (1.0 + x)).collect();
        let mut found = [
            &x[..],
            &[0.0, -0.5, -1.5, -126.0, f32::NEG_INFINITY, f32::NAN],
        ]
        .concat();
        Arch::new().dispatch(Powers(&mut found));
        let worst = x.iter().zip(&found).map(|(&x, &found)| {
            let exact = f64::from(x).exp2();
            ((f64::from(found) - exact) / exact).abs() / f64::from(f32::EPSILON)
        });
        assert!(worst.fold(0.0, f64::max) < 2.0);
        let ends = &found[x.len()..];
        assert_eq!(ends[..1], [1.0]);
        assert!(ends[3] == f32::MIN_POSITIVE && ends[4] == f32::MIN_POSITIVE && ends[5].is_nan());
    }

    fn with<S: Simd>(simd: S, length: usize) -> Vec<f32> {
        let rows = Rows {
            stride: length + 3,
            length,
            factor: 4.0,
        };
        let (mut scores, mut dp) = (noise(1, 5 * rows.stride), noise(2, 5 * rows.stride));
        let mut inverses = [0.0; 5];
        simd.vectorize(Numerators {
            rows,
            scores: &mut scores,
            inverses: &mut inverses,
        });
        simd.vectorize(Gradient {
            rows,
            numerators: &scores,
            inverses: &inverses,
            dp: &mut dp,
        });
        [scores, dp, inverses.to_vec()].concat()
    }

    #[test]
    fn one_lane_gives_what_many_give() {
        for length in [1, 7, 16, 45] {
            let expected = with(pulp::Scalar::new(), length);
            let expected: Vec<f64> = expected.iter().map(|&x| x.into()).collect();
            let mut found = vec![];
            #[cfg(target_arch = "x86_64")]
            {
                found.extend(pulp::x86::V3::try_new().map(|simd| with(simd, length)));
                found.extend(pulp::x86::V4::try_new().map(|simd| with(simd, length)));
            }
            assert!(
                found
                    .iter()
                    .all(|found| relative_rms(found, &expected) < 1e-6),
                "{length}"
            );
        }
    }
}
