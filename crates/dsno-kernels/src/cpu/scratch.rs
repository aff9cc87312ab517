//! Working memory that is kept between calls, and results that are not cleared first.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

/// One cache line; buffers start at one, so that no vector load crosses two.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Buffers that one thread keeps.
const KEPT: usize = 16;

thread_local! {
    static POOL: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of `f32` that starts at a cache line and goes back to its thread's pool when dropped.
pub(crate) struct Scratch {
    lines: Vec<Line>,
    len: usize,
}

impl Scratch {
    /// A buffer whose values are arbitrary: write before reading.
    pub(crate) fn take(len: usize) -> Self {
        let needed = len.div_ceil(LINE);
        let found = POOL.with_borrow_mut(|pool| {
            let fits = |lines: &Vec<Line>| lines.len() >= needed;
            let best = (0..pool.len())
                .filter(|&at| fits(&pool[at]))
                .min_by_key(|&at| pool[at].len());
            best.or_else(|| (0..pool.len()).max_by_key(|&at| pool[at].len()))
                .map(|at| pool.swap_remove(at))
        });
        let mut lines = found.unwrap_or_default();
        if lines.len() < needed {
            lines.clear();
            lines.resize(needed, Line([0.0; LINE]));
        }
        Self { lines, len }
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut scratch = Self::take(len);
        scratch.fill(0.0);
        scratch
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that is ending has no pool any more.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT {
                pool.push(lines);
            }
        });
    }
}

/// A result of `len` values that the caller overwrites, all of them, before anyone reads one.
#[allow(
    clippy::uninit_vec,
    reason = "clearing costs as much as many kernels do"
)]
pub(crate) fn for_overwrite(len: usize) -> Vec<f32> {
    let mut result = Vec::with_capacity(len);
    // SAFETY: the capacity is `len`, every bit pattern is an f32, and kernels write each number of
    // their result before they return it; tests compare all of them with direct computations.
    unsafe { result.set_len(len) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_at_a_cache_line_and_come_back() {
        let address = {
            let scratch = Scratch::take(1000);
            assert_eq!(scratch.len(), 1000);
            assert_eq!(scratch.as_ptr() as usize % 64, 0);
            scratch.as_ptr()
        };
        assert_eq!(Scratch::zeros(990).as_ptr(), address);
    }

    #[test]
    fn two_buffers_at_a_time_are_two() {
        let (mut a, mut b) = (Scratch::zeros(8), Scratch::zeros(8));
        a[0] = 1.0;
        b[0] = 2.0;
        assert_eq!((a[0], b[0]), (1.0, 2.0));
    }
}
