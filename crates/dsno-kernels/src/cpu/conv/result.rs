//! From products of transformed tiles to results, `y = Aᵀ M A + bias (+ residual)`, and back,
//! `dM = A dy Aᵀ`.

#![allow(
    clippy::needless_range_loop,
    reason = "indices are rows and columns of small matrices"
)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::grid::{Grid, Piece, Spectrum};
use super::tile::Tile;
use super::vector::{dispatch, load, square, store};

/// The piece's rows of results and what is added to them.
pub(super) struct Rows<'a> {
    /// Bias, zeros where there is none, padded to whole vectors.
    pub(super) bias: &'a [f32],
    /// Added to the results, like them.
    pub(super) residual: Option<&'a [f32]>,
    /// `[rows, width, channels]`.
    pub(super) y: &'a mut [f32],
}

/// `y = Aᵀ M A + bias + residual` for the piece's tiles.
pub(super) fn forward<T: Tile<M, N>, const M: usize, const N: usize>(
    grid: Grid,
    piece: &Piece,
    layout: Spectrum,
    m: &[f32],
    rows: Rows<'_>,
    channels: usize,
) {
    let Rows { bias, residual, y } = rows;
    check(grid, piece, layout, m.len(), y.len(), [M, N, channels]);
    assert!(bias.len() >= layout.columns && residual.is_none_or(|r| r.len() == y.len()));
    let tile = PhantomData::<T>;
    let geometry = Geometry {
        grid,
        piece,
        layout,
        channels,
    };
    if let Some(residual) = residual {
        dispatch(Forward::<_, true, M, N> {
            geometry,
            m,
            bias,
            residual,
            y,
            tile,
        });
    } else {
        dispatch(Forward::<_, false, M, N> {
            geometry,
            m,
            bias,
            residual: &[],
            y,
            tile,
        });
    }
}

/// `dM = A dy Aᵀ` for the piece's tiles; tiles that hang over see zeros there.
pub(super) fn adjoint<T: Tile<M, N>, const M: usize, const N: usize>(
    grid: Grid,
    piece: &Piece,
    layout: Spectrum,
    dy: &[f32],
    channels: usize,
    dm: &mut [f32],
) {
    check(grid, piece, layout, dm.len(), dy.len(), [M, N, channels]);
    let tile = PhantomData::<T>;
    let geometry = Geometry {
        grid,
        piece,
        layout,
        channels,
    };
    dispatch(Adjoint {
        geometry,
        dy,
        dm,
        tile,
    });
}

/// What the loops below rely on.
fn check(
    grid: Grid,
    piece: &Piece,
    layout: Spectrum,
    m: usize,
    y: usize,
    [tile, n, c]: [usize; 3],
) {
    assert_eq!(
        (grid.tile, tile + 2, layout.columns),
        (tile, n, super::grid::padded(c))
    );
    assert!(piece.rows.end <= grid.rows());
    assert!(piece.first_tile + piece.rows.len() * grid.columns() <= layout.rows);
    let rows = (piece.rows.end * tile).min(grid.height) - piece.rows.start * tile;
    assert!(y == rows * grid.width * c && m >= layout.len(n * n));
}

#[derive(Clone, Copy)]
struct Geometry<'a> {
    grid: Grid,
    piece: &'a Piece,
    layout: Spectrum,
    channels: usize,
}

/// One vector of channels of one tile.
struct Place {
    /// Offset in the transform.
    point: usize,
    /// Offset in the results.
    result: usize,
    channel: usize,
    /// Rows, columns and channels that exist.
    valid: [usize; 3],
}

/// Calls `$body` for every tile and vector.
macro_rules! for_each_vector {
    ($geometry:expr, $m:ident, |$place:ident| $body:block) => {
        let Geometry {
            grid,
            piece,
            layout,
            channels,
        } = $geometry;
        let mut tile = piece.first_tile;
        for row in piece.rows.clone() {
            for column in 0..grid.columns() {
                let height = (grid.height - row * $m).min($m);
                let width = (grid.width - column * $m).min($m);
                let pixel = (row - piece.rows.start) * $m * grid.width + column * $m;
                for channel in (0..channels).step_by(S::F32_LANES) {
                    let $place = Place {
                        point: tile * layout.columns + channel,
                        result: pixel * channels + channel,
                        channel,
                        valid: [height, width, (channels - channel).min(S::F32_LANES)],
                    };
                    $body
                }
                tile += 1;
            }
        }
    };
}

struct Forward<'a, T, const RESIDUAL: bool, const M: usize, const N: usize> {
    geometry: Geometry<'a>,
    m: &'a [f32],
    bias: &'a [f32],
    residual: &'a [f32],
    y: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const RESIDUAL: bool, const M: usize, const N: usize> WithSimd
    for Forward<'_, T, RESIDUAL, M, N>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (pixel, stride) = (self.geometry.channels, self.geometry.layout.stride());
        let line = self.geometry.grid.width * pixel;
        for_each_vector!(self.geometry, M, |place| {
            let mut m = [[simd.splat_f32s(0.0); N]; N];
            // SAFETY: `check` holds: the tile's number is below the layout's, and the padded
            // channels, as many as the bias has, are whole vectors.
            let bias = unsafe {
                let from = self.m.as_ptr().add(place.point);
                for i in 0..N {
                    for j in 0..N {
                        m[i][j] = load(simd, from.add((i * N + j) * stride));
                    }
                }
                load(simd, self.bias.as_ptr().add(place.channel))
            };
            let y = square!(simd, T::result::<S>, m, N, M);
            if place.valid == [M, M, S::F32_LANES] {
                for i in 0..M {
                    for j in 0..M {
                        let at = place.result + i * line + j * pixel;
                        let mut y = simd.add_f32s(y[i][j], bias);
                        // SAFETY: all of this tile's results exist, and the residual's if any.
                        unsafe {
                            if RESIDUAL {
                                y = simd.add_f32s(y, load(simd, self.residual.as_ptr().add(at)));
                            }
                            store(simd, self.y.as_mut_ptr().add(at), y);
                        }
                    }
                }
            } else {
                let [height, width, lanes] = place.valid;
                for i in 0..height {
                    for j in 0..width {
                        let at = place.result + i * line + j * pixel;
                        let mut y = simd.add_f32s(y[i][j], bias);
                        if RESIDUAL {
                            let residual = simd.partial_load_f32s(&self.residual[at..at + lanes]);
                            y = simd.add_f32s(y, residual);
                        }
                        simd.partial_store_f32s(&mut self.y[at..at + lanes], y);
                    }
                }
            }
        });
    }
}

struct Adjoint<'a, T, const M: usize, const N: usize> {
    geometry: Geometry<'a>,
    dy: &'a [f32],
    dm: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<M, N>, const M: usize, const N: usize> WithSimd for Adjoint<'_, T, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (pixel, stride) = (self.geometry.channels, self.geometry.layout.stride());
        let line = self.geometry.grid.width * pixel;
        for_each_vector!(self.geometry, M, |place| {
            let mut dy = [[simd.splat_f32s(0.0); M]; M];
            if place.valid == [M, M, S::F32_LANES] {
                for i in 0..M {
                    for j in 0..M {
                        let at = place.result + i * line + j * pixel;
                        // SAFETY: all of this tile's results exist.
                        dy[i][j] = unsafe { load(simd, self.dy.as_ptr().add(at)) };
                    }
                }
            } else {
                let [height, width, lanes] = place.valid;
                for i in 0..height {
                    for j in 0..width {
                        let at = place.result + i * line + j * pixel;
                        dy[i][j] = simd.partial_load_f32s(&self.dy[at..at + lanes]);
                    }
                }
            }
            let dm = square!(simd, T::result_adjoint::<S>, dy, M, N);
            // SAFETY: `check` holds: the tile's number is below the layout's.
            unsafe {
                let to = self.dm.as_mut_ptr().add(place.point);
                for i in 0..N {
                    for j in 0..N {
                        store(simd, to.add((i * N + j) * stride), dm[i][j]);
                    }
                }
            }
        });
    }
}
