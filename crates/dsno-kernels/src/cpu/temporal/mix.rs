//! Products with small matrices along time, with their epilogues.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

/// Outputs that are summed side by side.
const GROUP: usize = 4;

/// Rows of equal length inside a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    /// Distance from the start of one row to the next.
    pub(super) stride: usize,
}

/// The epilogue of a sum before it is written.
pub(super) trait Ending {
    /// Whether the value beside it counts.
    const READS: bool;

    fn of<S: Simd>(simd: S, sum: S::f32s, beside: S::f32s) -> S::f32s;
}

/// The sum itself.
pub(super) struct Plain;

/// `beside + sum`.
pub(super) struct Added;

/// `beside + LeakyReLU(sum)`.
pub(super) struct Activated;

/// `beside·LeakyReLU′(sum)`, where the derivative at 0 is 1.
pub(super) struct Sloped;

impl Ending for Plain {
    const READS: bool = false;

    #[inline(always)]
    fn of<S: Simd>(_: S, sum: S::f32s, _: S::f32s) -> S::f32s {
        sum
    }
}

impl Ending for Added {
    const READS: bool = true;

    #[inline(always)]
    fn of<S: Simd>(simd: S, sum: S::f32s, beside: S::f32s) -> S::f32s {
        simd.add_f32s(beside, sum)
    }
}

impl Ending for Activated {
    const READS: bool = true;

    #[inline(always)]
    fn of<S: Simd>(simd: S, sum: S::f32s, beside: S::f32s) -> S::f32s {
        simd.add_f32s(beside, leaky::<S>(simd, sum, sum))
    }
}

impl Ending for Sloped {
    const READS: bool = true;

    #[inline(always)]
    fn of<S: Simd>(simd: S, sum: S::f32s, beside: S::f32s) -> S::f32s {
        leaky::<S>(simd, sum, beside)
    }
}

/// `value`, or the leak's share of it where `decides < 0`.
#[inline(always)]
fn leaky<S: Simd>(simd: S, decides: S::f32s, value: S::f32s) -> S::f32s {
    let negative = simd.less_than_f32s(decides, simd.splat_f32s(0.0));
    let leaked = simd.mul_f32s(value, simd.splat_f32s(super::LEAK));
    simd.select_f32s(negative, leaked, value)
}

/// `outputs[k] = ending(Σᵢ table[k, i]·inputs[i], beside[k])`, number by number along the rows.
pub(super) fn mix<E: Ending>(
    table: &[f32],
    inputs: Rows<'_>,
    beside: Rows<'_>,
    outputs: &mut [&mut [f32]],
) {
    let Some(len) = outputs.first().map(|row| row.len()) else {
        return;
    };
    let count = table.len() / outputs.len();
    assert_eq!(table.len(), count * outputs.len());
    assert!(outputs.iter().all(|row| row.len() == len));
    assert!(count == 0 || (count - 1) * inputs.stride + len <= inputs.data.len());
    assert!(!E::READS || (outputs.len() - 1) * beside.stride + len <= beside.data.len());
    Arch::new().dispatch(Mix::<E> {
        table,
        count,
        inputs,
        beside,
        outputs,
        len,
        ending: PhantomData,
    });
}

/// The arguments of [`mix`], whose lengths it has checked.
struct Mix<'a, 'b, E> {
    table: &'a [f32],
    /// Number of inputs.
    count: usize,
    inputs: Rows<'a>,
    beside: Rows<'a>,
    outputs: &'a mut [&'b mut [f32]],
    len: usize,
    ending: PhantomData<E>,
}

impl<E: Ending> WithSimd for Mix<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let step = 2 * S::F32_LANES;
        let whole = self.len / step * step;
        for at in (0..whole).step_by(step) {
            self.columns::<S, 2>(simd, at, step);
        }
        for at in (whole..self.len).step_by(S::F32_LANES) {
            self.columns::<S, 1>(simd, at, (self.len - at).min(S::F32_LANES));
        }
    }
}

impl<E: Ending> Mix<'_, '_, E> {
    /// All outputs at `at..at + width`, in `V` vectors of which only a single one may be cut short.
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&mut self, simd: S, at: usize, width: usize) {
        let outputs = self.outputs.len();
        for first in (0..outputs).step_by(GROUP) {
            match outputs - first {
                1 => self.group::<S, V, 1>(simd, at, width, first),
                2 => self.group::<S, V, 2>(simd, at, width, first),
                3 => self.group::<S, V, 3>(simd, at, width, first),
                _ => self.group::<S, V, GROUP>(simd, at, width, first),
            }
        }
    }

    /// Outputs `first..first + K` at the same places.
    #[inline(always)]
    fn group<S: Simd, const V: usize, const K: usize>(
        &mut self,
        simd: S,
        at: usize,
        width: usize,
        first: usize,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; K];
        for i in 0..self.count {
            let from = i * self.inputs.stride + at;
            // SAFETY: `mix` asserted that `count` rows of `len` values lie in the inputs, and
            // `at + width <= len`.
            let x = unsafe { load::<S, V>(simd, self.inputs.data.as_ptr().add(from), width) };
            for (k, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the table has `count` values for each output.
                let share = unsafe { *self.table.get_unchecked((first + k) * self.count + i) };
                let share = simd.splat_f32s(share);
                for (sum, &x) in sums.iter_mut().zip(&x) {
                    *sum = simd.mul_add_f32s(share, x, *sum);
                }
            }
        }
        for (k, mut sums) in sums.into_iter().enumerate() {
            let k = first + k;
            let beside = if E::READS {
                let from = k * self.beside.stride + at;
                // SAFETY: as for the inputs, with a row for each output.
                unsafe { load::<S, V>(simd, self.beside.data.as_ptr().add(from), width) }
            } else {
                sums
            };
            for (sum, &beside) in sums.iter_mut().zip(&beside) {
                *sum = E::of(simd, *sum, beside);
            }
            // SAFETY: every output has `len` values, and `at + width <= len`.
            unsafe { store::<S, V>(simd, self.outputs[k].as_mut_ptr().add(at), width, sums) };
        }
    }
}

/// Reads `V` whole vectors, or one of `width` values.
///
/// # Safety
///
/// `width` values at `from` are readable; `width` is that of `V` vectors, or at most one's for `V = 1`.
#[inline(always)]
unsafe fn load<S: Simd, const V: usize>(simd: S, from: *const f32, width: usize) -> [S::f32s; V] {
    if width == V * S::F32_LANES {
        // SAFETY: the caller's promise; vectors are plain data.
        std::array::from_fn(|v| unsafe { from.cast::<S::f32s>().add(v).read_unaligned() })
    } else {
        // SAFETY: the caller's promise.
        let part = unsafe { std::slice::from_raw_parts(from, width) };
        [simd.partial_load_f32s(part); V]
    }
}

/// Writes what [`load`] reads.
///
/// # Safety
///
/// As [`load`], for writing.
#[inline(always)]
unsafe fn store<S: Simd, const V: usize>(
    simd: S,
    to: *mut f32,
    width: usize,
    values: [S::f32s; V],
) {
    if width == V * S::F32_LANES {
        for (v, value) in values.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { to.cast::<S::f32s>().add(v).write_unaligned(value) };
        }
    } else {
        // SAFETY: the caller's promise.
        let part = unsafe { std::slice::from_raw_parts_mut(to, width) };
        simd.partial_store_f32s(part, values[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::testing::{noise, relative_rms};

    fn with<S: Simd>(simd: S, [count, outputs, len]: [usize; 3]) -> Vec<f32> {
        let [table, data, beside] = [1, 2, 3].map(|seed| noise(seed, 10 * (len + 3)));
        let mut to = vec![0.0; outputs * len];
        let mut outputs: Vec<_> = to.chunks_exact_mut(len).collect();
        simd.vectorize(Mix::<Activated> {
            table: &table[..count * outputs.len()],
            count,
            inputs: Rows {
                data: &data,
                stride: len + 1,
            },
            beside: Rows {
                data: &beside,
                stride: len + 2,
            },
            outputs: &mut outputs,
            len,
            ending: PhantomData,
        });
        to
    }

    #[test]
    fn one_lane_gives_what_many_give() {
        for sizes in [[1, 1, 7], [4, 4, 64], [3, 6, 45], [5, 7, 33]] {
            let expected: Vec<f64> = with(pulp::Scalar::new(), sizes)
                .iter()
                .map(|&x| x.into())
                .collect();
            let mut found = vec![];
            #[cfg(target_arch = "x86_64")]
            {
                found.extend(pulp::x86::V3::try_new().map(|simd| with(simd, sizes)));
                found.extend(pulp::x86::V4::try_new().map(|simd| with(simd, sizes)));
            }
            assert!(
                found
                    .iter()
                    .all(|found| relative_rms(found, &expected) < 1e-6),
                "{sizes:?}"
            );
        }
    }
}
