//! The convolution by Winograd's tiles, depth first.
//!
//! A thread goes through blocks of tiles so small that all between reading `x` and writing `y`
//! stays in its cache; one product of matrices per point of the transform does the summing over
//! channels.

mod backward;
mod forward;

pub(super) use backward::backward;
pub(super) use forward::forward;

use super::ConvShape;
use super::choice::tiles_per_block;
use super::grid::{Grid, Spectrum, padded};

/// How a convolution is cut into tiles and blocks of them.
#[derive(Debug, Clone, Copy)]
struct Plan {
    grid: Grid,
    /// Most rows of tiles in a block.
    block: usize,
    /// Channels padded to whole vectors.
    inputs: usize,
    outputs: usize,
}

impl Plan {
    fn new(shape: ConvShape, tile: usize) -> Self {
        let grid = Grid {
            height: shape.height,
            width: shape.width,
            tile,
        };
        let [inputs, outputs] = [padded(shape.channels_in), padded(shape.channels_out)];
        let block = (tiles_per_block(inputs, outputs) / grid.columns()).max(1);
        Self {
            grid,
            block,
            inputs,
            outputs,
        }
    }

    /// Floating-point operations of a row of tiles.
    fn cost(self, points: usize) -> usize {
        let Self {
            grid,
            inputs,
            outputs,
            ..
        } = self;
        grid.columns() * points * (2 * inputs * outputs + 8 * (inputs + outputs))
    }

    /// Layouts of the transforms of `x` and of `y`, of as many tiles as `rows` rows need at a time.
    fn layouts(self, rows: usize) -> [Spectrum; 2] {
        let tiles = self.block.min(rows) * self.grid.columns();
        [self.inputs, self.outputs].map(|columns| Spectrum {
            rows: tiles,
            columns,
        })
    }
}
