//! Vectors of channels at any place of a slice, and transforms in two dimensions.

#[cfg(test)]
use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};

#[cfg(test)]
thread_local! {
    /// Lanes to compute with on this thread: 1, 4, or the machine's best.
    pub(super) static LANES: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs with the best instructions of this machine.
pub(super) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    #[cfg(test)]
    match LANES.get() {
        Some(1) => return pulp::Scalar.vectorize(work),
        Some(4) => return pulp::Scalar128b.vectorize(work),
        _ => {}
    }
    Arch::new().dispatch(work)
}

/// The vector at `pointer`.
///
/// # Safety
/// As many values as a vector of `S` holds must be readable there.
#[inline(always)]
pub(super) unsafe fn load<S: Simd>(_: S, pointer: *const f32) -> S::f32s {
    // SAFETY: the caller's; vectors are plain data.
    unsafe { pointer.cast::<S::f32s>().read_unaligned() }
}

/// Writes the vector at `pointer`.
///
/// # Safety
/// As many values as a vector of `S` holds must be writable there.
#[inline(always)]
pub(super) unsafe fn store<S: Simd>(_: S, pointer: *mut f32, value: S::f32s) {
    // SAFETY: the caller's; vectors are plain data.
    unsafe { pointer.cast::<S::f32s>().write_unaligned(value) };
}

/// `f x fᵀ`: a transform of `$inputs` to `$outputs` vectors along both dimensions.
///
/// A macro, since a function that is passed to another is called without the instructions of `S`.
macro_rules! square {
    ($simd:expr, $f:expr, $x:expr, $inputs:expr, $outputs:expr) => {{
        let zero = $simd.splat_f32s(0.0);
        let mut half = [[zero; $inputs]; $outputs];
        for column in 0..$inputs {
            let mut values = [zero; $inputs];
            for row in 0..$inputs {
                values[row] = $x[row][column];
            }
            let values = $f($simd, values);
            for row in 0..$outputs {
                half[row][column] = values[row];
            }
        }
        let mut result = [[zero; $outputs]; $outputs];
        for row in 0..$outputs {
            result[row] = $f($simd, half[row]);
        }
        result
    }};
}

pub(super) use square;
