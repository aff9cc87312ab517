//! SiLU and its derivative, for vectors of any number of lanes.
//!
//! Kernels that pass over data anyway use the vector forms; whole maps use [`silu`] and
//! [`silu_backward`].

use pulp::{Arch, Simd, WithSimd};

use super::{scratch, threads};

#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide;

/// `log₂ e`, and `ln 2` in two parts, the first of nine bits: its products with exponents are exact.
const LOG2_E: f32 = std::f32::consts::LOG2_E;
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `1.5·2²³`: a sum with it is rounded to a whole number, which stands in its lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `(eʳ − 1 − r)/r²` on `|r| ≤ ln 2 / 2`, minimax for the relative error of `eʳ` (4e-9).
const TAYLOR: [f32; 5] = [
    0.499_999_94,
    0.166_665_21,
    0.041_668_39,
    0.008_368_745,
    0.001_381_454,
];

/// `(p, b)` with `eˣ = p·2ⁿ`, `p` on `[0.7, 1.42]` and `b` the number `n` in an exponent's place.
#[inline(always)]
fn split_exp<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::u32s) {
    let rounded = simd.mul_add_e_f32s(x, simd.splat_f32s(LOG2_E), simd.splat_f32s(ROUND));
    let exponent = simd.sub_f32s(rounded, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(exponent, simd.splat_f32s(-LN_2[0]), x);
    let r = simd.mul_add_e_f32s(exponent, simd.splat_f32s(-LN_2[1]), r);
    let mut q = simd.splat_f32s(TAYLOR[4]);
    for &c in TAYLOR[..4].iter().rev() {
        q = simd.mul_add_e_f32s(q, r, simd.splat_f32s(c));
    }
    let p = simd.mul_add_e_f32s(q, simd.mul_f32s(r, r), r);
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
    (simd.add_f32s(p, simd.splat_f32s(1.0)), bits)
}

/// `x·2ⁿ`, where `n` stands in the place of an exponent and the result is normal.
#[inline(always)]
fn scale<S: Simd>(simd: S, x: S::f32s, exponent: S::u32s) -> S::f32s {
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(x), exponent))
}

/// `max(x, low)`; NaN stays NaN.
#[inline(always)]
fn at_least<S: Simd>(simd: S, x: S::f32s, low: f32) -> S::f32s {
    let low = simd.splat_f32s(low);
    if S::IS_SCALAR {
        return simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    }
    // Vector instructions return their second operand if one is NaN, or else NaN.
    simd.max_f32s(low, x)
}

/// `min(x, high)`; NaN stays NaN.
#[inline(always)]
fn at_most<S: Simd>(simd: S, x: S::f32s, high: f32) -> S::f32s {
    let high = simd.splat_f32s(high);
    if S::IS_SCALAR {
        return simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
    }
    simd.min_f32s(high, x)
}

/// Terms of the logistic function `σ(x) = 1/(1 + e⁻ˣ)` and its relatives.
///
/// `e⁻ˣ` and the result leave the range of `f32` at different places. Below −64 all terms are
/// therefore multiplied by `k = 2⁻³²`, in their exponents; elsewhere `k = 1`. At −104, where `x` is
/// cut off, everything that is made of these has long become zero.
struct Logistic<S: Simd> {
    /// `x`, not below −104.
    x: S::f32s,
    /// Subtracted from an exponent to multiply by `k`.
    shift: S::u32s,
    /// `k`.
    k: S::f32s,
    /// `k·e⁻ˣ`, not below `e⁻⁸⁷`.
    e: S::f32s,
    /// `k·(1 + e⁻ˣ)`.
    sum: S::f32s,
}

impl<S: Simd> Logistic<S> {
    #[inline(always)]
    fn of(simd: S, x: S::f32s) -> Self {
        let far = simd.less_than_f32s(x, simd.splat_f32s(-64.0));
        let shift = simd.select_u32s(far, simd.splat_u32s(32 << 23), simd.splat_u32s(0));
        let x = at_least(simd, x, -104.0);
        let (p, exponent) = split_exp(simd, simd.neg_f32s(at_most(simd, x, 87.0)));
        let e = scale(simd, p, simd.sub_u32s(exponent, shift));
        let one = simd.splat_u32s(1f32.to_bits());
        let k = simd.transmute_f32s_u32s(simd.sub_u32s(one, shift));
        Self {
            x,
            shift,
            k,
            e,
            sum: simd.add_f32s(k, e),
        }
    }
}

/// `x·σ(x)`; `0` at `−∞`.
#[inline(always)]
pub(crate) fn silu_of<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    if let Some(y) = wide::silu(simd, x) {
        return y;
    }
    let Logistic { x, shift, sum, .. } = Logistic::of(simd, x);
    let scaled = simd.sub_u32s(simd.transmute_u32s_f32s(x), shift);
    simd.div_f32s(simd.transmute_f32s_u32s(scaled), sum)
}

/// The derivative of [`silu_of`], `σ(x)·(1 + x·(1 − σ(x)))`; finite for every number.
#[inline(always)]
pub(crate) fn silu_slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    if let Some(slope) = wide::slope(simd, x) {
        return slope;
    }
    let Logistic { x, k, e, sum, .. } = Logistic::of(simd, x);
    let one = simd.splat_f32s(1.0);
    let inverse = simd.div_f32s(one, sum);
    // From 2⁶ on `1 − σ` is nothing beside one; `x` may be so large that the product is not.
    let rest = simd.mul_f32s(e, inverse);
    let inner = simd.mul_add_e_f32s(at_most(simd, x, 64.0), rest, one);
    simd.mul_f32s(simd.mul_f32s(inner, k), inverse)
}

/// `x·σ(x)` of every number.
pub(crate) fn silu(x: &[f32]) -> Vec<f32> {
    let mut y = scratch::for_overwrite(x.len());
    let cut = threads::ranges(x.len(), 16);
    let jobs = cut.iter().zip(threads::split(&mut y, &cut, 1)).collect();
    threads::run(jobs, |(range, y): (&std::ops::Range<usize>, &mut [f32])| {
        Arch::new().dispatch(Silu {
            x: &x[range.clone()],
            y,
        });
    });
    y
}

/// Gradient of [`silu`]: `dy` times the derivative at `x`.
pub(crate) fn silu_backward(x: &[f32], dy: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), dy.len(), "one gradient for each number");
    let mut dx = scratch::for_overwrite(x.len());
    let cut = threads::ranges(x.len(), 24);
    let jobs = cut.iter().zip(threads::split(&mut dx, &cut, 1)).collect();
    threads::run(
        jobs,
        |(range, dx): (&std::ops::Range<usize>, &mut [f32])| {
            Arch::new().dispatch(SiluBackward {
                x: &x[range.clone()],
                dy: &dy[range.clone()],
                dx,
            });
        },
    );
    dx
}

struct Silu<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((x, x_tail), (y, y_tail)) = (S::as_simd_f32s(self.x), S::as_mut_simd_f32s(self.y));
        for (x, y) in x.iter().zip(y) {
            *y = silu_of(simd, *x);
        }
        simd.partial_store_f32s(y_tail, silu_of(simd, simd.partial_load_f32s(x_tail)));
    }
}

struct SiluBackward<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for SiluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((x, x_tail), (dy, dy_tail)) = (S::as_simd_f32s(self.x), S::as_simd_f32s(self.dy));
        let (dx, dx_tail) = S::as_mut_simd_f32s(self.dx);
        for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
            *dx = simd.mul_f32s(*dy, silu_slope(simd, *x));
        }
        let (x, dy) = (
            simd.partial_load_f32s(x_tail),
            simd.partial_load_f32s(dy_tail),
        );
        simd.partial_store_f32s(dx_tail, simd.mul_f32s(dy, silu_slope(simd, x)));
    }
}
