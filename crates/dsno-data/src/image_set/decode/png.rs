//! PNG, whole or row by row.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use png::{ColorType, Decoder, Reader, Transformations};

use super::{Header, LARGEST_RATIO, Picture, check_size, failed};
use crate::error::{DataError, DecodeError};
use crate::source::read_error;

pub(super) fn header(file: &[u8]) -> Result<Header, DecodeError> {
    let reader = Decoder::new(Cursor::new(file)).read_info()?;
    let info = reader.info();
    let size = [info.height as usize, info.width as usize];
    check_size(size, file.len(), LARGEST_RATIO)?;
    let exif = info.exif_metadata.as_ref().map(|bytes| bytes.to_vec());
    Ok(Header { size, exif })
}

pub(super) fn decode(file: &[u8]) -> Result<Picture, DecodeError> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let info = decoder.read_header_info()?;
    let size = [info.height as usize, info.width as usize];
    check_size(size, file.len(), LARGEST_RATIO)?;
    let mut reader = decoder.read_info()?;
    let channels = channels(reader.output_color_type().0);
    let mut bytes = vec![0; size[0] * size[1] * channels];
    reader.next_frame(&mut bytes)?;
    reader.finish()?;
    Ok(Picture {
        size,
        channels,
        bytes,
    })
}

fn channels(color: ColorType) -> usize {
    match color {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Indexed => 3,
        ColorType::Rgba => 4,
    }
}

/// The rows of a PNG file from top to bottom, so that a large one is never in memory as a whole.
///
/// An interlaced one, whose rows come in another order, is.
pub(in super::super) struct Rows<'a> {
    path: &'a Path,
    reader: Reader<BufReader<File>>,
    size: [usize; 2],
    channels: usize,
    /// All bytes of an interlaced picture, and how many of them were given out.
    interlaced: Option<(Vec<u8>, usize)>,
}

impl<'a> Rows<'a> {
    /// Begins to read a file.
    pub(in super::super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| read_error(path, error))?;
        let metadata = file.metadata().map_err(|error| read_error(path, error))?;
        let failed = |error: DecodeError| failed(path, error);
        let mut decoder = Decoder::new(BufReader::new(file));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let info = decoder.read_header_info();
        let info = info.map_err(|error| failed(error.into()))?;
        let size = [info.height as usize, info.width as usize];
        let interlaced = info.interlaced;
        check_size(size, metadata.len() as usize, LARGEST_RATIO).map_err(failed)?;
        let reader = decoder.read_info().map_err(|error| failed(error.into()))?;
        let channels = channels(reader.output_color_type().0);
        let mut rows = Self {
            path,
            reader,
            size,
            channels,
            interlaced: None,
        };
        if interlaced {
            let mut bytes = vec![0; size[0] * size[1] * channels];
            let decoded = rows.reader.next_frame(&mut bytes);
            decoded.map_err(|error| failed(error.into()))?;
            rows.interlaced = Some((bytes, 0));
        }
        Ok(rows)
    }

    /// Height and width.
    pub(in super::super) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The next `height` rows as a picture.
    pub(in super::super) fn next(&mut self, height: usize) -> Result<Picture, DataError> {
        let row_bytes = self.size[1] * self.channels;
        let mut bytes = Vec::with_capacity(height * row_bytes);
        if let Some((all, given)) = &mut self.interlaced {
            let end = (*given + height * row_bytes).min(all.len());
            bytes.extend_from_slice(&all[*given..end]);
            *given = end;
        } else {
            for _ in 0..height {
                let row = self.reader.next_row();
                if let Some(row) = row.map_err(|error| failed(self.path, error.into()))? {
                    bytes.extend_from_slice(row.data());
                }
            }
        }
        Ok(Picture {
            size: [height, self.size[1]],
            channels: self.channels,
            bytes,
        })
    }

    /// Reads what is left and checks that the file is whole.
    pub(in super::super) fn finish(mut self) -> Result<(), DataError> {
        let finished = self.reader.finish();
        finished.map_err(|error| failed(self.path, error.into()))
    }
}
