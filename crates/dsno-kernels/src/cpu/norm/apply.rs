//! The normalised image, with SiLU or without.

use pulp::{Arch, Simd, WithSimd};

use super::Affine;
use super::period::{Rows, period, repeated};
use crate::cpu::activation::silu_of;

/// Writes `(x − mean)·gain + offset`, or SiLU of it, to rows of `out`.
///
/// `image` lies in one piece; its row `r`, of `rows.length` numbers, goes to
/// `out[r·rows.stride..]`. What lies between the rows stays as it is.
pub(crate) fn apply(image: &[f32], affine: &Affine<'_>, silu: bool, out: &mut [f32], rows: Rows) {
    if silu {
        Arch::new().dispatch(Apply::<true> {
            image,
            affine,
            out,
            rows,
        });
    } else {
        Arch::new().dispatch(Apply::<false> {
            image,
            affine,
            out,
            rows,
        });
    }
}

struct Apply<'a, const SILU: bool> {
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
        for (from, to) in self.rows.starts(self.image.len()) {
            let row = &self.image[from..][..self.rows.length];
            let out = &mut self.out[to..][..self.rows.length];
            let ((x, x_tail), (y, y_tail)) = (S::as_simd_f32s(row), S::as_mut_simd_f32s(out));
            let mut at = 0;
            for (x, y) in x.iter().zip(y) {
                *y = place::<SILU, S>(simd, *x, [means[at], gains[at], offsets[at]]);
                at += 1;
                if at == means.len() {
                    at = 0;
                }
            }
            if !x_tail.is_empty() {
                let last = simd.partial_load_f32s(x_tail);
                let last = place::<SILU, S>(simd, last, [means[at], gains[at], offsets[at]]);
                simd.partial_store_f32s(y_tail, last);
            }
        }
    }
}

/// The normalised numbers, with SiLU or without.
#[inline(always)]
fn place<const SILU: bool, S: Simd>(simd: S, x: S::f32s, affine: [S::f32s; 3]) -> S::f32s {
    let [mean, gain, offset] = affine;
    let p = simd.mul_add_e_f32s(simd.sub_f32s(x, mean), gain, offset);
    if SILU { silu_of(simd, p) } else { p }
}
