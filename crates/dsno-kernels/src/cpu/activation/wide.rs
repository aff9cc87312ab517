//! The logistic function's relatives with instructions that only AVX-512 has.
//!
//! With `u = x·log₂ e` rounded to sixteenths, `k = 2^⌊u⌋` and `r = u·ln 2 − x`:
//!
//! ```text
//! e⁻ˣ = m/k,   m = 2^(⌊u⌋ − u)·eʳ  in [0.51, 1.02],   |r| ≤ ln 2 / 32
//! σ(x) = k/(k + m),   1 − σ(x) = m/(k + m)
//! ```
//!
//! The power of two in `m` comes from a table in a register, and no term leaves the range of `f32`
//! before `σ` does. A division takes the pipes for less time than its approximation does.

use std::any::Any;
use std::arch::x86_64::__m512;

use pulp::Simd;
use pulp::x86::V4;

/// `2^(−i/16)`.
const POWERS: [f32; 16] = [
    1.0,
    0.957_603_3,
    0.917_004_05,
    0.878_126_1,
    0.840_896_4,
    0.805_245_16,
    0.771_105_4,
    0.738_413_1,
    0.707_106_77,
    0.677_127_8,
    0.648_419_8,
    0.620_928_9,
    0.594_603_54,
    0.569_394_3,
    0.545_253_9,
    0.522_136_87,
];

/// `(eʳ − 1 − r)/r²` on `|r| ≤ ln 2 / 32`, minimax for the error of `eʳ` (2e-9).
const TAYLOR: [f32; 2] = [0.500_016_2, 1.0 / 6.0];

/// `1.5·2¹⁹`: a sum with it is rounded to sixteenths, which are counted in its lowest bits.
const SIXTEENTHS: f32 = 786_432.0;

/// `ln 2` less its nearest `f32`.
const LN_2_REST: f32 = -1.904_654_3e-9;

/// `x` within bounds and the terms `k`, `m` and `k + m` of the formula.
struct Terms {
    x: __m512,
    k: __m512,
    m: __m512,
    sum: __m512,
}

/// This machine's instructions, if the caller uses them.
#[inline(always)]
fn instructions<S: Simd>(simd: S) -> Option<V4> {
    (&simd as &dyn Any).downcast_ref::<V4>().copied()
}

#[inline(always)]
fn splat(simd: V4, x: f32) -> __m512 {
    pulp::cast(simd.splat_f32s(x))
}

/// `x`, not below −110, where `σ` has long become zero; NaN stays NaN.
#[inline(always)]
fn bounded(simd: V4, x: __m512) -> __m512 {
    simd.avx512f._mm512_max_ps(splat(simd, -110.0), x)
}

impl Terms {
    #[inline(always)]
    fn of(simd: V4, x: __m512) -> Self {
        let f = simd.avx512f;
        // From 40 on `σ` is one, and there squares of `k` are numbers still.
        let x = f._mm512_min_ps(splat(simd, 40.0), bounded(simd, x));
        let magic = splat(simd, SIXTEENTHS);
        let rounded = f._mm512_fmadd_ps(x, splat(simd, std::f32::consts::LOG2_E), magic);
        let u = f._mm512_sub_ps(rounded, magic);
        let r = f._mm512_fmsub_ps(u, splat(simd, std::f32::consts::LN_2), x);
        let r = f._mm512_fmadd_ps(u, splat(simd, LN_2_REST), r);
        let q = f._mm512_fmadd_ps(r, splat(simd, TAYLOR[1]), splat(simd, TAYLOR[0]));
        let q = f._mm512_fmadd_ps(f._mm512_mul_ps(r, r), q, r);
        let power = f._mm512_permutexvar_ps(pulp::cast(rounded), pulp::cast(POWERS));
        let m = f._mm512_fmadd_ps(power, q, power);
        // Takes the floor of its second operand.
        let k = f._mm512_scalef_ps(splat(simd, 1.0), u);
        let sum = f._mm512_add_ps(k, m);
        Self { x, k, m, sum }
    }
}

/// `x·σ(x)` where `simd` is AVX-512.
#[inline(always)]
pub(super) fn silu<S: Simd>(simd: S, x: S::f32s) -> Option<S::f32s> {
    let simd = instructions(simd)?;
    let x = bytemuck::cast(x);
    let Terms { k, sum, .. } = Terms::of(simd, x);
    let f = simd.avx512f;
    let quotient = f._mm512_div_ps(bounded(simd, x), sum);
    Some(bytemuck::cast(f._mm512_mul_ps(quotient, k)))
}

/// `σ(x)·(1 + x·(1 − σ(x)))` where `simd` is AVX-512.
#[inline(always)]
pub(super) fn slope<S: Simd>(simd: S, x: S::f32s) -> Option<S::f32s> {
    let simd = instructions(simd)?;
    let Terms { x, k, m, sum } = Terms::of(simd, bytemuck::cast(x));
    let f = simd.avx512f;
    let numerator = f._mm512_mul_ps(k, f._mm512_fmadd_ps(x, m, sum));
    let slope = f._mm512_div_ps(numerator, f._mm512_mul_ps(sum, sum));
    Some(bytemuck::cast(slope))
}
