//! Weights transformed, `U = G g Gᵀ`, and their gradient, `dg = Gᵀ dU G`.

#![allow(
    clippy::needless_range_loop,
    reason = "indices are rows and columns of small matrices"
)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::super::scratch::{Scratch, for_overwrite};
use super::super::transpose::Transpose;
use super::grid::{Spectrum, padded};
use super::tile::Tile;
use super::vector::{dispatch, load, square, store};

/// Weights of one 3×3 kernel.
const TAPS: usize = 9;

/// `[C_in][3·3][C_out]` of the stored `[C_out][C_in][3·3]`, rows of `columns ≥ C_out` values.
pub(super) fn taps(weight: &[f32], [inputs, outputs]: [usize; 2], columns: usize) -> Scratch {
    let mut taps = Scratch::zeros(inputs * TAPS * columns);
    let whole = Transpose {
        rows: outputs,
        columns: inputs * TAPS,
        from_stride: inputs * TAPS,
        to_stride: columns,
        factor: 1.0,
    };
    whole.run(weight, &mut taps);
    taps
}

/// The stored `[C_out][C_in][3·3]` of `[C_in][3·3][C_out]`, rows of `columns` values.
pub(super) fn stored(taps: &[f32], [inputs, outputs]: [usize; 2], columns: usize) -> Vec<f32> {
    let mut weight = for_overwrite(outputs * inputs * TAPS);
    let whole = Transpose {
        rows: inputs * TAPS,
        columns: outputs,
        from_stride: columns,
        to_stride: inputs * TAPS,
        factor: 1.0,
    };
    whole.run(taps, &mut weight);
    weight
}

/// `[3·3][C_out][C_in]` of the stored `[C_out][C_in][3·3]`.
pub(super) fn turned(weight: &[f32], [inputs, outputs]: [usize; 2]) -> Scratch {
    let taps = turned_taps(weight, inputs, inputs);
    let mut turned = Scratch::take(weight.len());
    for (row, to) in turned.chunks_mut(inputs).enumerate() {
        let (tap, output) = (row / outputs, row % outputs);
        to.copy_from_slice(&taps[(output * TAPS + tap) * inputs..][..inputs]);
    }
    turned
}

/// `[C_out][3·3][C_in]` of the stored `[C_out][C_in][3·3]`, rows of `columns ≥ C_in` values.
fn turned_taps(weight: &[f32], inputs: usize, columns: usize) -> Scratch {
    let outputs = weight.len() / (inputs * TAPS);
    let mut taps = Scratch::zeros(outputs * TAPS * columns);
    let one = Transpose {
        rows: inputs,
        columns: TAPS,
        from_stride: TAPS,
        to_stride: columns,
        factor: 1.0,
    };
    for (from, to) in weight
        .chunks(inputs * TAPS)
        .zip(taps.chunks_mut(TAPS * columns))
    {
        one.run(from, to);
    }
    taps
}

/// Transformed weights and how they lie.
pub(super) struct Transformed {
    pub(super) layout: Spectrum,
    pub(super) values: Scratch,
}

impl Transformed {
    fn of<T: Tile<M, N>, const M: usize, const N: usize>(taps: &[f32], layout: Spectrum) -> Self {
        let mut values = Scratch::take(layout.len(N * N));
        assert!(
            layout.columns.is_multiple_of(16) && taps.len() >= layout.rows * TAPS * layout.columns
        );
        let tile = PhantomData::<T>;
        dispatch(Forward {
            layout,
            taps,
            u: &mut values,
            tile,
        });
        Self { layout, values }
    }

    /// `U[ξ][C_in][C_out]`.
    pub(super) fn new<T: Tile<M, N>, const M: usize, const N: usize>(
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> Self {
        let layout = Spectrum {
            rows: inputs,
            columns: padded(outputs),
        };
        Self::of::<T, M, N>(&taps(weight, [inputs, outputs], layout.columns), layout)
    }

    /// `U[ξ]ᵀ[C_out][C_in]`.
    pub(super) fn turned<T: Tile<M, N>, const M: usize, const N: usize>(
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> Self {
        let layout = Spectrum {
            rows: outputs,
            columns: padded(inputs),
        };
        Self::of::<T, M, N>(&turned_taps(weight, inputs, layout.columns), layout)
    }

    pub(super) fn at(&self, point: usize) -> &[f32] {
        &self.values[self.layout.at(point)]
    }
}

/// The stored weight's gradient from `dU[ξ][C_in][C_out]`.
pub(super) fn adjoint<T: Tile<M, N>, const M: usize, const N: usize>(
    du: &[f32],
    channels: [usize; 2],
    layout: Spectrum,
) -> Vec<f32> {
    let mut taps = Scratch::take(layout.rows * TAPS * layout.columns);
    assert!(layout.columns.is_multiple_of(16) && du.len() >= layout.len(N * N));
    let tile = PhantomData::<T>;
    dispatch(Adjoint {
        layout,
        du,
        taps: &mut taps,
        tile,
    });
    stored(&taps, channels, layout.columns)
}

struct Forward<'a, T, const M: usize, const N: usize> {
    layout: Spectrum,
    taps: &'a [f32],
    u: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const M: usize, const N: usize> WithSimd for Forward<'_, T, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (columns, point) = (self.layout.columns, self.layout.stride());
        for row in 0..self.layout.rows {
            for column in (0..columns).step_by(S::F32_LANES) {
                let mut g = [[simd.splat_f32s(0.0); 3]; 3];
                // SAFETY: rows and columns of the layout, whose lengths callers have compared.
                unsafe {
                    let taps = self.taps.as_ptr().add(row * TAPS * columns + column);
                    for i in 0..3 {
                        for j in 0..3 {
                            g[i][j] = load(simd, taps.add((i * 3 + j) * columns));
                        }
                    }
                    let g = square!(simd, T::weight::<S>, g, 3, N);
                    let u = self.u.as_mut_ptr().add(row * columns + column);
                    for i in 0..N {
                        for j in 0..N {
                            store(simd, u.add((i * N + j) * point), g[i][j]);
                        }
                    }
                }
            }
        }
    }
}

struct Adjoint<'a, T, const M: usize, const N: usize> {
    layout: Spectrum,
    du: &'a [f32],
    taps: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const M: usize, const N: usize> WithSimd for Adjoint<'_, T, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (columns, point) = (self.layout.columns, self.layout.stride());
        for row in 0..self.layout.rows {
            for column in (0..columns).step_by(S::F32_LANES) {
                let mut u = [[simd.splat_f32s(0.0); N]; N];
                // SAFETY: as in `Forward`.
                unsafe {
                    let du = self.du.as_ptr().add(row * columns + column);
                    for i in 0..N {
                        for j in 0..N {
                            u[i][j] = load(simd, du.add((i * N + j) * point));
                        }
                    }
                    let u = square!(simd, T::weight_adjoint::<S>, u, N, 3);
                    let taps = self.taps.as_mut_ptr().add(row * TAPS * columns + column);
                    for i in 0..3 {
                        for j in 0..3 {
                            store(simd, taps.add((i * 3 + j) * columns), u[i][j]);
                        }
                    }
                }
            }
        }
    }
}
