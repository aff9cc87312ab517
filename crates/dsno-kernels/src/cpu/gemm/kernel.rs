//! Blocks of a matrix product that stay in registers, and the order in which they are computed.

use std::marker::PhantomData;

use pulp::{MemMask, Simd, WithSimd};

use super::{Gemm, Summand};

/// Summands after which a block's sums are added to the result: this much of a panel of the right
/// factor and of a block's rows of the left stays in the first two caches.
const DEPTH: usize = 256;
/// Values of the left factor that stay in the second cache while panel after panel passes.
const LEFT: usize = 1 << 16;

/// A product together with its matrices; every access that [`Gemm`] describes is in bounds.
pub(super) struct Product<'a> {
    shape: Gemm,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    plus: [Option<Summand<'a>>; 2],
    slices: PhantomData<(&'a [f32], &'a mut [f32])>,
}

impl<'a> Product<'a> {
    /// # Safety
    /// For `i < rows`, `j < columns`, `p < depth`: `a` holds `i·a_strides[0] + p·a_strides[1]`,
    /// `b` holds `p·b_stride + j`, `c` holds `i·c_stride + j`, summands hold `i·stride + j`.
    pub(super) unsafe fn new(
        shape: Gemm,
        a: &'a [f32],
        b: &'a [f32],
        plus: [Option<Summand<'a>>; 2],
        c: &'a mut [f32],
    ) -> Self {
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
        Self {
            shape,
            a,
            b,
            c,
            plus,
            slices: PhantomData,
        }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gemm {
            rows,
            columns,
            depth,
            a_strides,
            b_stride,
            c_stride,
            accumulate,
        } = self.shape;
        let lanes = S::F32_LANES;
        let vectors = columns.div_ceil(lanes);
        let panels = vectors.div_ceil(const { widest::<S>() });
        let sums = depth.div_ceil(DEPTH).max(1);
        for sum in 0..sums {
            let (p, end) = (sum * depth / sums, (sum + 1) * depth / sums);
            let tall = (LEFT / (end - p).max(1)).max(48);
            let blocks = rows.div_ceil(tall);
            for block in 0..blocks {
                let (i, last) = (block * rows / blocks, (block + 1) * rows / blocks);
                for panel in 0..panels {
                    let (from, to) = (panel * vectors / panels, (panel + 1) * vectors / panels);
                    let j = from * lanes;
                    let c = self.c.wrapping_add(i * c_stride + j);
                    let mut part = Part {
                        a: self.a.wrapping_add(i * a_strides[0] + p * a_strides[1]),
                        b: self.b.wrapping_add(p * b_stride + j),
                        c,
                        rows: last - i,
                        depth: end - p,
                        a_strides,
                        b_stride,
                        c_stride,
                        plus: [(c.cast_const(), c_stride); 3],
                        summands: usize::from(accumulate || sum > 0),
                        tail: columns - (vectors - 1) * lanes,
                    };
                    if sum == 0 {
                        for Summand { numbers, stride } in self.plus.into_iter().flatten() {
                            let numbers = numbers.as_ptr().wrapping_add(i * stride + j);
                            part.plus[part.summands] = (numbers, stride);
                            part.summands += 1;
                        }
                    }
                    part.dispatch(simd, to - from, to * lanes > columns);
                }
            }
        }
    }
}

/// Vectors in the widest block.
const fn widest<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 4 } else { 2 }
}

/// A range of rows, of summands and of at most [`widest`] vectors of columns.
#[derive(Clone, Copy)]
struct Part {
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    rows: usize,
    depth: usize,
    a_strides: [usize; 2],
    b_stride: usize,
    c_stride: usize,
    /// What is added to the products: matrices' first values and distances between rows.
    plus: [(*const f32, usize); 3],
    /// How many of them there are.
    summands: usize,
    /// The lanes of the last vector that are columns.
    tail: usize,
}

impl Part {
    /// Chooses blocks that fill the registers: sums, one row of the panel and one broadcast number.
    #[inline(always)]
    fn dispatch<S: Simd>(self, simd: S, width: usize, masked: bool) {
        if const { S::REGISTER_COUNT >= 32 } {
            match width {
                1 => self.masked::<S, 12, 1>(simd, masked),
                2 => self.masked::<S, 12, 2>(simd, masked),
                3 => self.masked::<S, 8, 3>(simd, masked),
                _ => self.masked::<S, 6, 4>(simd, masked),
            }
        } else {
            match width {
                1 => self.masked::<S, 12, 1>(simd, masked),
                _ => self.masked::<S, 6, 2>(simd, masked),
            }
        }
    }

    #[inline(always)]
    fn masked<S: Simd, const ROWS: usize, const WIDTH: usize>(self, simd: S, masked: bool) {
        if masked {
            self.adjacent::<S, ROWS, WIDTH, true>(simd);
        } else {
            self.adjacent::<S, ROWS, WIDTH, false>(simd);
        }
    }

    #[inline(always)]
    fn adjacent<S: Simd, const ROWS: usize, const WIDTH: usize, const MASKED: bool>(self, simd: S) {
        if self.a_strides[0] == 1 {
            simd.vectorize(Panel::<ROWS, WIDTH, MASKED, true>(self));
        } else {
            simd.vectorize(Panel::<ROWS, WIDTH, MASKED, false>(self));
        }
    }
}

/// A [`Part`] of `WIDTH` vectors of columns, the last cut to the mask where `MASKED`, in blocks of
/// `ROWS` rows; rows of the left factor lie side by side where `ADJACENT`.
struct Panel<const ROWS: usize, const WIDTH: usize, const MASKED: bool, const ADJACENT: bool>(Part);

impl<const ROWS: usize, const WIDTH: usize, const MASKED: bool, const ADJACENT: bool> WithSimd
    for Panel<ROWS, WIDTH, MASKED, ADJACENT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.0.rows;
        let mut row = 0;
        // SAFETY: the rows of each block are rows of this part.
        unsafe {
            while row + ROWS <= rows {
                self.block::<S, ROWS>(simd, row);
                row += ROWS;
            }
            if ROWS > 8 && row + 8 <= rows {
                self.block::<S, 8>(simd, row);
                row += 8;
            }
            if ROWS > 4 && row + 4 <= rows {
                self.block::<S, 4>(simd, row);
                row += 4;
            }
            if ROWS > 2 && row + 2 <= rows {
                self.block::<S, 2>(simd, row);
                row += 2;
            }
            if row < rows {
                self.block::<S, 1>(simd, row);
            }
        }
    }
}

impl<const ROWS: usize, const WIDTH: usize, const MASKED: bool, const ADJACENT: bool>
    Panel<ROWS, WIDTH, MASKED, ADJACENT>
{
    /// `R` rows of the result from `row` on: all sums are in registers at once.
    ///
    /// # Safety
    /// `row + R` is at most the number of rows.
    #[inline(always)]
    unsafe fn block<S: Simd, const R: usize>(&self, simd: S, row: usize) {
        let Part {
            a_strides,
            b_stride,
            c_stride,
            depth,
            plus,
            summands,
            tail,
            ..
        } = self.0;
        let lanes = S::F32_LANES;
        let between = if ADJACENT { 1 } else { a_strides[0] };
        let mask = MemMask::new(simd.mask_between_m32s(0, tail as u32).mask());
        let cut = |v: usize| MASKED && v == WIDTH - 1;
        let mut sums = [[simd.splat_f32s(0.0); WIDTH]; R];
        // SAFETY: rows, summands and columns of this part, hence of its matrices; lanes beyond the
        // columns, which are in the last vector of the last panel alone, are masked.
        unsafe {
            let load = |at: *const f32, v: usize| {
                let at = at.add(v * lanes);
                if cut(v) {
                    simd.mask_load_ptr_f32s(mask, at)
                } else {
                    at.cast::<S::f32s>().read_unaligned()
                }
            };
            let mut a = self.0.a.wrapping_add(row * a_strides[0]);
            let mut b = self.0.b;
            for _ in 0..depth {
                let mut right = [simd.splat_f32s(0.0); WIDTH];
                for (v, right) in right.iter_mut().enumerate() {
                    *right = load(b, v);
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = simd.splat_f32s(*a.add(i * between));
                    for (sum, &right) in sums.iter_mut().zip(&right) {
                        *sum = simd.mul_add_e_f32s(left, right, *sum);
                    }
                }
                a = a.wrapping_add(a_strides[1]);
                b = b.wrapping_add(b_stride);
            }
            for &(plus, stride) in &plus[..summands] {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let plus = plus.add((row + i) * stride);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = simd.add_f32s(load(plus, v), *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                let c = self.0.c.add((row + i) * c_stride);
                for (v, &sum) in sums.iter().enumerate() {
                    let at = c.add(v * lanes);
                    if cut(v) {
                        simd.mask_store_ptr_f32s(mask, at, sum);
                    } else {
                        at.cast::<S::f32s>().write_unaligned(sum);
                    }
                }
            }
        }
    }
}
