//! The normalised image, with SiLU or without.

use pulp::{Arch, Simd, WithSimd};

use super::Affine;
use super::period::{Rows, period, repeated};
use crate::cpu::activation::silu_of;

/// Writes `(x − mean)·gain + offset`, or SiLU of it, to rows of `out`.
///
/// `image` lies in one piece; its row `r`, of `rows.length` values, goes to
/// `out[r·rows.stride..]`. What lies between the rows stays as it is.
pub(crate) fn apply(image: &[f32], affine: &Affine<'_>, silu: bool, out: &mut [f32], rows: Rows) {
    apply_before(image, image, affine, silu, out, rows);
}

/// As [`apply`], and on the way brings what is read `next`, as long as the image, into the cache.
///
/// Arithmetic leaves most of the memory's time unused; sums over the next image do not.
pub(super) fn apply_before(
    next: &[f32],
    image: &[f32],
    affine: &Affine<'_>,
    silu: bool,
    out: &mut [f32],
    rows: Rows,
) {
    assert_eq!(next.len(), image.len(), "images of one shape");
    if silu {
        Arch::new().dispatch(Apply::<true> {
            next,
            image,
            affine,
            out,
            rows,
        });
    } else {
        Arch::new().dispatch(Apply::<false> {
            next,
            image,
            affine,
            out,
            rows,
        });
    }
}

struct Apply<'a, const SILU: bool> {
    next: &'a [f32],
    image: &'a [f32],
    affine: &'a Affine<'a>,
    out: &'a mut [f32],
    rows: Rows,
}

impl<const SILU: bool> WithSimd for Apply<'_, SILU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let period = period(self.affine.mean.len(), S::F32_LANES);
        let [mean, gain, offset] =
            [self.affine.mean, self.affine.gain, self.affine.offset].map(|of| repeated(of, period));
        let (means, gains) = (S::as_simd_f32s(&mean).0, S::as_simd_f32s(&gain).0);
        let offsets = S::as_simd_f32s(&offset).0;
        let tables = means.iter().zip(gains).zip(offsets);
        for (from, to) in self.rows.starts(self.image.len()) {
            let row = from..from + self.rows.length;
            let out = &mut self.out[to..][..self.rows.length];
            let (next, _) = S::as_simd_f32s(&self.next[row.clone()]);
            let ((x, x_tail), (y, y_tail)) =
                (S::as_simd_f32s(&self.image[row]), S::as_mut_simd_f32s(out));
            let last = x.len() % means.len();
            let periods = x.chunks(means.len()).zip(next.chunks(means.len()));
            for ((x, next), y) in periods.zip(y.chunks_mut(means.len())) {
                let numbers = x.iter().zip(next).zip(y);
                for (((x, next), y), ((mean, gain), offset)) in numbers.zip(tables.clone()) {
                    fetch(next);
                    *y = place::<SILU, S>(simd, *x, [*mean, *gain, *offset]);
                }
            }
            if !x_tail.is_empty() {
                let affine = [means[last], gains[last], offsets[last]];
                let x = place::<SILU, S>(simd, simd.partial_load_f32s(x_tail), affine);
                simd.partial_store_f32s(y_tail, x);
            }
        }
    }
}

/// Asks for a number's place in the second-level cache, where the processor can be asked.
#[inline(always)]
fn fetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes no memory.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The normalised values, with SiLU or without.
#[inline(always)]
fn place<const SILU: bool, S: Simd>(simd: S, x: S::f32s, affine: [S::f32s; 3]) -> S::f32s {
    let [mean, gain, offset] = affine;
    let p = simd.mul_add_e_f32s(simd.sub_f32s(x, mean), gain, offset);
    if SILU { silu_of(simd, p) } else { p }
}
