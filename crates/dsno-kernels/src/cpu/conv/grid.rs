//! How maps are cut into tiles, and where the tiles' transforms lie.

use std::ops::Range;

/// Vectors of channels in scratch are padded to a multiple of the widest SIMD register.
const WIDEST: usize = 16;

/// Channels rounded up to whole vectors.
pub(super) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(WIDEST)
}

/// Maps of one image cut into tiles of `tile × tile` results; the last ones may hang over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Results on a side of a tile; it sees one more input on every side.
    pub(super) tile: usize,
}

impl Grid {
    /// Rows of tiles of an image.
    pub(super) fn rows(self) -> usize {
        self.height.div_ceil(self.tile)
    }

    /// Tiles in a row of them.
    pub(super) fn columns(self) -> usize {
        self.width.div_ceil(self.tile)
    }

    /// Pixels in a row of the image with zeros around it.
    pub(super) fn padded_width(self) -> usize {
        self.columns() * self.tile + 2
    }

    /// Rows of the image with zeros around it.
    pub(super) fn padded_height(self) -> usize {
        self.rows() * self.tile + 2
    }

    /// Row of results where row `row` of tiles begins, counted over all images.
    pub(super) fn result_row(self, row: usize) -> usize {
        row / self.rows() * self.height + row % self.rows() * self.tile
    }

    /// Cuts a range of rows of tiles, counted over all images, at the borders of images.
    pub(super) fn pieces(self, rows: Range<usize>) -> impl Iterator<Item = Piece> {
        let begin = rows.start;
        let (per_image, columns) = (self.rows(), self.columns());
        (rows.start / per_image..rows.end.div_ceil(per_image)).map(move |image| {
            let first = image * per_image;
            let (start, end) = (rows.start.max(first), rows.end.min(first + per_image));
            Piece {
                image,
                rows: start - first..end - first,
                first_tile: (start - begin) * columns,
            }
        })
    }
}

/// Rows of tiles of one image inside a block of tiles.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    /// Number, in the block, of its first tile.
    pub(super) first_tile: usize,
}

impl Piece {
    /// Place of its results among those of all images, `line` values to a row.
    pub(super) fn results(&self, grid: Grid, line: usize) -> Range<usize> {
        let first = self.image * grid.rows();
        let row = |row: usize| grid.result_row(first + row) * line;
        row(self.rows.start)..row(self.rows.end)
    }

    /// Whether the image's last row of tiles is here.
    pub(super) fn ends_image(&self, grid: Grid) -> bool {
        self.rows.end == grid.rows()
    }
}

/// Layout of transformed matrices `[points][rows][columns]`, each point's apart from the last one's
/// by one cache line more, so that the same place of many points does not fall into the same set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spectrum {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Spectrum {
    pub(super) fn stride(self) -> usize {
        self.rows * self.columns + WIDEST
    }

    pub(super) fn len(self, points: usize) -> usize {
        self.stride() * points
    }

    pub(super) fn at(self, point: usize) -> Range<usize> {
        point * self.stride()..point * self.stride() + self.rows * self.columns
    }
}

/// Cuts `rows` into blocks of at most `most`, as equal as can be.
pub(super) fn blocks(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = rows.len().div_ceil(most);
    let (start, len) = (rows.start, rows.len());
    (0..count).map(move |block| start + block * len / count..start + (block + 1) * len / count)
}
