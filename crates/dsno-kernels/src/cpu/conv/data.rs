//! From images to transformed tiles, `V = Bᵀ d B`, and back, `d += B V Bᵀ`.

#![allow(
    clippy::needless_range_loop,
    reason = "indices are rows and columns of small matrices"
)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::grid::{Grid, Piece, Spectrum};
use super::tile::Tile;
use super::vector::{dispatch, load, square, store};

/// `V[ξ][tile][channel]` of the piece's tiles from the image with zeros around it.
pub(super) fn forward<T: Tile<M, N>, const M: usize, const N: usize>(
    grid: Grid,
    piece: &Piece,
    layout: Spectrum,
    image: &[f32],
    v: &mut [f32],
) {
    check(grid, piece, layout, image.len(), v.len(), [M, N]);
    let tile = PhantomData::<T>;
    dispatch(Forward {
        grid,
        piece,
        layout,
        image,
        v,
        tile,
    });
}

/// Adds `B V Bᵀ` of the piece's tiles to the image's gradient, which has zeros around it.
pub(super) fn adjoint<T: Tile<M, N>, const M: usize, const N: usize>(
    grid: Grid,
    piece: &Piece,
    layout: Spectrum,
    v: &[f32],
    image: &mut [f32],
) {
    check(grid, piece, layout, image.len(), v.len(), [M, N]);
    let tile = PhantomData::<T>;
    dispatch(Adjoint {
        grid,
        piece,
        layout,
        image,
        v,
        tile,
    });
}

/// What the loops below rely on.
fn check(grid: Grid, piece: &Piece, layout: Spectrum, image: usize, v: usize, [m, n]: [usize; 2]) {
    assert_eq!((grid.tile, m + 2), (m, n));
    assert!(piece.rows.end <= grid.rows() && layout.columns.is_multiple_of(16));
    assert!(piece.first_tile + piece.rows.len() * grid.columns() <= layout.rows);
    assert!(image >= grid.padded_height() * grid.padded_width() * layout.columns);
    assert!(v >= layout.len(n * n));
}

/// Calls `$body` for every tile and vector with the values' offsets in image and transform.
macro_rules! for_each_vector {
    ($self:ident, $simd:ident, $m:ident, |$from:ident, $to:ident| $body:block) => {
        let channels = $self.layout.columns;
        let mut tile = $self.piece.first_tile;
        for row in $self.piece.rows.clone() {
            for column in 0..$self.grid.columns() {
                let pixel = row * $m * $self.grid.padded_width() + column * $m;
                for channel in (0..channels).step_by(S::F32_LANES) {
                    let $from = pixel * channels + channel;
                    let $to = tile * channels + channel;
                    $body
                }
                tile += 1;
            }
        }
    };
}

struct Forward<'a, T, const M: usize, const N: usize> {
    grid: Grid,
    piece: &'a Piece,
    layout: Spectrum,
    image: &'a [f32],
    v: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const M: usize, const N: usize> WithSimd for Forward<'_, T, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let line = self.grid.padded_width() * self.layout.columns;
        let (pixel, point) = (self.layout.columns, self.layout.stride());
        for_each_vector!(self, simd, M, |from, to| {
            // SAFETY: `check` holds: the N × N pixels from here lie in the padded image, whose last
            // tile ends at its border, and the tile's number is below the layout's.
            unsafe {
                let (image, v) = (self.image.as_ptr().add(from), self.v.as_mut_ptr().add(to));
                let mut d = [[simd.splat_f32s(0.0); N]; N];
                for i in 0..N {
                    for j in 0..N {
                        d[i][j] = load(simd, image.add(i * line + j * pixel));
                    }
                }
                let d = square!(simd, T::data::<S>, d, N, N);
                for i in 0..N {
                    for j in 0..N {
                        store(simd, v.add((i * N + j) * point), d[i][j]);
                    }
                }
            }
        });
    }
}

struct Adjoint<'a, T, const M: usize, const N: usize> {
    grid: Grid,
    piece: &'a Piece,
    layout: Spectrum,
    image: &'a mut [f32],
    v: &'a [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const M: usize, const N: usize> WithSimd for Adjoint<'_, T, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let line = self.grid.padded_width() * self.layout.columns;
        let (pixel, point) = (self.layout.columns, self.layout.stride());
        for_each_vector!(self, simd, M, |to, from| {
            // SAFETY: as in `Forward`.
            unsafe {
                let (image, v) = (self.image.as_mut_ptr().add(to), self.v.as_ptr().add(from));
                let mut d = [[simd.splat_f32s(0.0); N]; N];
                for i in 0..N {
                    for j in 0..N {
                        d[i][j] = load(simd, v.add((i * N + j) * point));
                    }
                }
                let d = square!(simd, T::data_adjoint::<S>, d, N, N);
                for i in 0..N {
                    for j in 0..N {
                        let place = image.add(i * line + j * pixel);
                        store(simd, place, simd.add_f32s(load(simd, place), d[i][j]));
                    }
                }
            }
        });
    }
}
