//! Transposes of matrices, for products `A·Bᵀ`.

use pulp::Arch;

/// Rows and columns that are turned at a time.
const TILE: usize = 16;

/// `to[j, i] = factor·from[i, j]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transpose {
    /// Of `from`.
    pub(crate) rows: usize,
    /// Of `from`.
    pub(crate) columns: usize,
    /// Distance in `from` from one row to the next.
    pub(crate) from_stride: usize,
    /// Distance in `to` from one row, a column of `from`, to the next.
    pub(crate) to_stride: usize,
    pub(crate) factor: f32,
}

impl Transpose {
    pub(crate) fn run(self, from: &[f32], to: &mut [f32]) {
        Arch::new().dispatch(
            #[inline(always)]
            || self.tiles(from, to),
        );
    }

    #[inline(always)]
    fn tiles(self, from: &[f32], to: &mut [f32]) {
        let whole = [self.rows / TILE * TILE, self.columns / TILE * TILE];
        for i in (0..whole[0]).step_by(TILE) {
            for j in (0..whole[1]).step_by(TILE) {
                self.tile(i, j, from, to);
            }
        }
        for i in 0..self.rows {
            let done = if i < whole[0] { whole[1] } else { 0 };
            for j in done..self.columns {
                to[j * self.to_stride + i] = self.factor * from[i * self.from_stride + j];
            }
        }
    }

    #[inline(always)]
    fn tile(self, i: usize, j: usize, from: &[f32], to: &mut [f32]) {
        let mut tile = [[0.0; TILE]; TILE];
        for (k, row) in tile.iter_mut().enumerate() {
            row.copy_from_slice(&from[(i + k) * self.from_stride + j..][..TILE]);
        }
        for k in 0..TILE {
            let turned: [f32; TILE] = std::array::from_fn(|l| self.factor * tile[l][k]);
            to[(j + k) * self.to_stride + i..][..TILE].copy_from_slice(&turned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::testing::noise;

    #[test]
    fn every_number_finds_its_place() {
        for (rows, columns) in [(1, 1), (7, 9), (16, 16), (17, 32), (64, 49)] {
            let from = noise(1, rows * (columns + 2));
            let mut to = vec![0.0; columns * (rows + 3)];
            let transpose = Transpose {
                rows,
                columns,
                from_stride: columns + 2,
                to_stride: rows + 3,
                factor: 2.0,
            };
            transpose.run(&from, &mut to);
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                assert_eq!(to[j * (rows + 3) + i], 2.0 * from[i * (columns + 2) + j]);
            }
        }
    }
}
