//! Bytes of images, and exact sums of blocks of them.

use std::ops::Range;

/// Pixels of all images of a set, one plane after the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pixels {
    /// As in the files.
    Bytes(Vec<u8>),
    /// Sums of `block`×`block` bytes; 16×16×255 still fits.
    Sums { sums: Vec<u16>, block: usize },
}

impl Pixels {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }

    /// Room for so many values: sums of `factor`×`factor` bytes, or bytes if `factor` is 1.
    ///
    /// Only room that the system has; a set that outgrows it is read all the same.
    pub(crate) fn with_room(values: usize, factor: usize) -> Self {
        fn room<T>(values: usize) -> Vec<T> {
            let mut room = Vec::new();
            let _grows_later = room.try_reserve_exact(values);
            room
        }
        if factor == 1 {
            Self::Bytes(room(values))
        } else {
            Self::Sums {
                sums: room(values),
                block: factor,
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Sums { sums, .. } => sums.len(),
        }
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes[range].to_vec()),
            Self::Sums { sums, block } => Self::Sums {
                sums: sums[range].to_vec(),
                block: *block,
            },
        }
    }

    /// Appends values in `[-1, 1]`.
    pub(crate) fn append(&self, range: Range<usize>, values: &mut Vec<f32>) {
        match self {
            Self::Bytes(bytes) => values.extend(bytes[range].iter().map(|&b| to_unit(b.into(), 1))),
            Self::Sums { sums, block } => {
                values.extend(sums[range].iter().map(|&s| to_unit(s, *block)));
            }
        }
    }

    pub(crate) fn padded(&self, [height, width]: [usize; 2], side: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(pad(bytes, [height, width], side)),
            Self::Sums { sums, block } => Self::Sums {
                sums: pad(sums, [height, width], side),
                block: *block,
            },
        }
    }

    /// Sums `factor`×`factor` blocks of square planes; `None` if a block would exceed 16×16 bytes.
    pub(crate) fn averaged(&self, width: usize, factor: usize) -> Option<Self> {
        let mut sums = Vec::with_capacity(self.len() / (factor * factor));
        let block = match self {
            Self::Bytes(_) if factor == 1 => return Some(self.clone()),
            Self::Bytes(bytes) if factor <= 16 => {
                sum_blocks(bytes, width, factor, &mut sums);
                factor
            }
            Self::Sums { sums: finer, block } if block * factor <= 16 => {
                sum_blocks(finer, width, factor, &mut sums);
                block * factor
            }
            _ => return None,
        };
        Some(Self::Sums { sums, block })
    }
}

fn to_unit(sum: u16, block: usize) -> f32 {
    (f64::from(sum) / (127.5 * (block * block) as f64) - 1.0) as f32
}

/// Lays planes of `height`×`width` values in the middle of planes of `side`×`side`.
pub(super) fn pad<T: Copy + Default>(
    values: &[T],
    [height, width]: [usize; 2],
    side: usize,
) -> Vec<T> {
    let (top, left) = ((side - height) / 2, (side - width) / 2);
    let planes = values.len() / (height * width);
    let mut padded = vec![T::default(); planes * side * side];
    for (row, from) in values.chunks_exact(width).enumerate() {
        let (plane, y) = (row / height, row % height);
        let start = (plane * side + top + y) * side + left;
        padded[start..start + width].copy_from_slice(from);
    }
    padded
}

/// Appends the sums of `factor`×`factor` blocks.
///
/// Planes are square and `width` is a multiple of `factor`, so blocks of rows never mix planes.
pub(super) fn sum_blocks<T: Copy + Into<u16>>(
    values: &[T],
    width: usize,
    factor: usize,
    sums: &mut Vec<u16>,
) {
    for rows in values.chunks_exact(width * factor) {
        for x in (0..width).step_by(factor) {
            let rows = rows.chunks_exact(width);
            sums.push(
                rows.flat_map(|row| &row[x..x + factor])
                    .map(|&v| v.into())
                    .sum(),
            );
        }
    }
}
