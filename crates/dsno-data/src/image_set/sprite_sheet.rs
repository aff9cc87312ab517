//! Sprite sheets: many small images in one picture, with a table of their labels.

use std::path::Path;

use super::decode::{self, Options, Picture, Rows, with_channels};
use super::gather::{Gather, Prepare};
use super::{ImageSet, table};
use crate::error::DataError;
use crate::source;

/// Sheets are read in colour.
pub(crate) const CHANNELS: usize = 3;

const OPTIONS: Options = Options {
    channels: CHANNELS,
    exif_rotation: false,
};

/// A sheet that is read from top to bottom, or one that has been decoded as a whole.
enum Sheet<'a> {
    Rows(Box<Rows<'a>>),
    Whole(Picture, usize),
}

pub(crate) fn read(
    sheet: &Path,
    table: &Path,
    tile: usize,
    prepare: Prepare,
) -> Result<ImageSet, DataError> {
    let labels = table::labels(table)?;
    let mut gather = Gather::new(prepare, CHANNELS, [tile; 2], labels.len())?;
    each(sheet, labels.len(), tile, |planes| gather.push(planes))?;
    let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
    Ok(gather.finish(Some(labels), classes))
}

/// Decodes a sheet and checks that it has room for so many images.
pub(crate) fn check(sheet: &Path, listed: usize, tile: usize) -> Result<(), DataError> {
    each(sheet, listed, tile, |_| ())
}

fn each(
    path: &Path,
    listed: usize,
    tile: usize,
    mut visit: impl FnMut(&[u8]),
) -> Result<(), DataError> {
    let mut sheet = Sheet::open(path)?;
    let [height, width] = sheet.size();
    let columns = width.checked_div(tile).unwrap_or(0);
    let room = columns * height.checked_div(tile).unwrap_or(0);
    if room < listed {
        return Err(DataError::SheetRoom {
            path: path.to_path_buf(),
            room,
            listed,
            tile,
        });
    }
    let mut planes = Vec::with_capacity(CHANNELS * tile * tile);
    for first in (0..listed).step_by(columns.max(1)) {
        let strip = sheet.next(tile)?;
        for left in (0..columns.min(listed - first)).map(|column| column * tile) {
            planes.clear();
            for channel in 0..CHANNELS {
                for y in 0..tile {
                    let at = |x: usize| (y * width + x) * CHANNELS + channel;
                    planes.extend((left..left + tile).map(|x| strip.bytes[at(x)]));
                }
            }
            visit(&planes);
        }
    }
    sheet.finish()
}

impl<'a> Sheet<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        if !path.exists() {
            return Err(source::missing(path));
        }
        Ok(if decode::is_png(path)? {
            Self::Rows(Box::new(Rows::open(path)?))
        } else {
            Self::Whole(decode::picture(path, OPTIONS)?, 0)
        })
    }

    fn size(&self) -> [usize; 2] {
        match self {
            Self::Rows(rows) => rows.size(),
            Self::Whole(picture, _) => picture.size,
        }
    }

    /// The next rows, in colour.
    fn next(&mut self, height: usize) -> Result<Picture, DataError> {
        Ok(match self {
            Self::Rows(rows) => with_channels(rows.next(height)?, CHANNELS),
            Self::Whole(picture, top) => {
                let row_bytes = picture.size[1] * CHANNELS;
                let bytes = picture.bytes[*top * row_bytes..][..height * row_bytes].to_vec();
                *top += height;
                Picture {
                    size: [height, picture.size[1]],
                    channels: CHANNELS,
                    bytes,
                }
            }
        })
    }

    fn finish(self) -> Result<(), DataError> {
        match self {
            Self::Rows(rows) => rows.finish(),
            Self::Whole(..) => Ok(()),
        }
    }
}
