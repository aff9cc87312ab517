//! Matrix products of the sizes that occur in U-Nets, on one thread.

mod kernel;
#[cfg(test)]
mod tests;

use pulp::{Arch, Simd};

use kernel::Product;

/// `C = A·B`, or `C += A·B`, for matrices inside slices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gemm {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Length of the sums.
    pub(crate) depth: usize,
    /// Distance in `a` from one row to the next, and from one summand to the next.
    pub(crate) a_strides: [usize; 2],
    /// Distance in `b` from one row to the next; columns lie side by side.
    pub(crate) b_stride: usize,
    /// Distance in `c` from one row to the next; columns lie side by side.
    pub(crate) c_stride: usize,
    /// Add to what `c` holds instead of overwriting it.
    pub(crate) accumulate: bool,
}

impl Gemm {
    /// Computes the product with the best instructions of this machine.
    ///
    /// # Panics
    /// Where a matrix does not fit its slice, or rows of `c` overlap.
    pub(crate) fn run(self, a: &[f32], b: &[f32], c: &mut [f32]) {
        if let Some(product) = self.within(a, b, c) {
            Arch::new().dispatch(product);
        }
    }

    /// [`Gemm::run`] for callers that know their instructions already.
    pub(crate) fn run_with<S: Simd>(self, simd: S, a: &[f32], b: &[f32], c: &mut [f32]) {
        if let Some(product) = self.within(a, b, c) {
            simd.vectorize(product);
        }
    }

    /// The product with its slices, all of whose accesses are in bounds; none where `c` is empty.
    fn within<'a>(self, a: &'a [f32], b: &'a [f32], c: &'a mut [f32]) -> Option<Product<'a>> {
        let extent = |rows: usize, stride: usize, row: usize| {
            (rows - 1).saturating_mul(stride).saturating_add(row)
        };
        if self.rows == 0 || self.columns == 0 {
            return None;
        }
        assert!(
            self.c_stride >= self.columns || self.rows == 1,
            "rows of the result overlap"
        );
        assert!(
            extent(self.rows, self.c_stride, self.columns) <= c.len(),
            "the result does not fit"
        );
        if self.depth > 0 {
            let row = extent(self.depth, self.a_strides[1], 1);
            assert!(
                extent(self.rows, self.a_strides[0], row) <= a.len(),
                "the left factor does not fit"
            );
            assert!(
                extent(self.depth, self.b_stride, self.columns) <= b.len(),
                "the right factor does not fit"
            );
        }
        // SAFETY: checked just now.
        Some(unsafe { Product::new(self, a, b, c) })
    }
}
