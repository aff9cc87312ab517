//! Matrix products of the sizes that occur in U-Nets, on one thread.

mod kernel;
#[cfg(test)]
mod tests;

use pulp::Arch;

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

/// A matrix that is added to a product: a residual, or a bias where the distance is 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summand<'a> {
    pub(crate) numbers: &'a [f32],
    /// Distance from one row to the next; columns lie side by side.
    pub(crate) stride: usize,
}

impl Gemm {
    /// A product whose right factor and result have rows of `columns` values without gaps.
    pub(crate) fn dense(
        [rows, columns]: [usize; 2],
        depth: usize,
        a_strides: [usize; 2],
        accumulate: bool,
    ) -> Self {
        Self {
            rows,
            columns,
            depth,
            a_strides,
            b_stride: columns,
            c_stride: columns,
            accumulate,
        }
    }

    /// Computes the product with the best instructions of this machine.
    ///
    /// # Panics
    /// Where a matrix does not fit its slice, or rows of `c` overlap.
    pub(crate) fn run(self, a: &[f32], b: &[f32], c: &mut [f32]) {
        self.run_plus(a, b, [None; 2], c);
    }

    /// [`Gemm::run`] with summands that are added while the result is in registers.
    pub(crate) fn run_plus(
        self,
        a: &[f32],
        b: &[f32],
        plus: [Option<Summand<'_>>; 2],
        c: &mut [f32],
    ) {
        if let Some(product) = self.within(a, b, plus, c) {
            Arch::new().dispatch(product);
        }
    }

    /// [`Gemm::run`] with given instructions.
    #[cfg(test)]
    fn run_with<S: pulp::Simd>(self, simd: S, a: &[f32], b: &[f32], c: &mut [f32]) {
        if let Some(product) = self.within(a, b, [None; 2], c) {
            simd.vectorize(product);
        }
    }

    /// The product with its slices, all of whose accesses are in bounds; none where `c` is empty.
    fn within<'a>(
        self,
        a: &'a [f32],
        b: &'a [f32],
        plus: [Option<Summand<'a>>; 2],
        c: &'a mut [f32],
    ) -> Option<Product<'a>> {
        let Self {
            rows,
            columns,
            depth,
            a_strides,
            b_stride,
            c_stride,
            ..
        } = self;
        if rows == 0 || columns == 0 {
            return None;
        }
        assert!(
            c_stride >= columns || rows == 1,
            "rows of the result overlap"
        );
        assert!(
            extent(rows, c_stride, columns) <= c.len(),
            "the result does not fit"
        );
        for summand in plus.into_iter().flatten() {
            let extent = extent(rows, summand.stride, columns);
            assert!(extent <= summand.numbers.len(), "a summand does not fit");
        }
        if depth > 0 {
            let row = extent(depth, a_strides[1], 1);
            assert!(
                extent(rows, a_strides[0], row) <= a.len(),
                "the left factor does not fit"
            );
            assert!(
                extent(depth, b_stride, columns) <= b.len(),
                "the right factor does not fit"
            );
        }
        // SAFETY: checked just now.
        Some(unsafe { Product::new(self, a, b, plus, c) })
    }
}

/// What `rows > 0` rows of `row` values span.
fn extent(rows: usize, stride: usize, row: usize) -> usize {
    (rows - 1).saturating_mul(stride).saturating_add(row)
}
