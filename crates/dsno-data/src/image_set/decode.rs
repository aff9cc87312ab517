//! Picture files to bytes.

use std::path::Path;

use super::magic::{self, Format};
use crate::error::{DataError, DecodeError};
use crate::source;

mod bmp;
mod jpeg;
mod orientation;
mod png;
mod webp;

pub(super) use png::Rows;

/// Most decoded pixels per byte of a PNG or JPEG file: a lying header promises more.
const LARGEST_RATIO: usize = 4096;

/// What to make of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// 1 or 3.
    pub(super) channels: usize,
    /// Whether pictures are turned as their EXIF data say.
    pub(super) exif_rotation: bool,
}

/// A decoded picture, `[H, W, C]`.
pub(super) struct Picture {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) bytes: Vec<u8>,
}

/// Height and width of a picture, and the TIFF data that came with it.
struct Header {
    size: [usize; 2],
    exif: Option<Vec<u8>>,
}

impl Picture {
    /// Replaces `planes` by the bytes as `[C, H, W]`.
    pub(super) fn planes(&self, planes: &mut Vec<u8>) {
        planes.clear();
        for channel in 0..self.channels {
            let values = self.bytes.iter().skip(channel).step_by(self.channels);
            planes.extend(values);
        }
    }
}

/// Decodes a file to 1 or 3 channels.
pub(super) fn picture(path: &Path, options: Options) -> Result<Picture, DataError> {
    let file = read(path)?;
    let decoded = is_named_right(path, &file).and_then(|()| decode(&file, options));
    decoded.map_err(|source| failed(path, source))
}

/// Height and width that a file would have when decoded.
///
/// Of a file that does not end as its format asks, or if `whole`, all of it is decoded.
pub(super) fn check(path: &Path, options: Options, whole: bool) -> Result<[usize; 2], DataError> {
    let file = read(path)?;
    let size = is_named_right(path, &file).and_then(|()| {
        if whole || !ends(&file) {
            decode(&file, options).map(|picture| picture.size)
        } else {
            header(&file).map(|header| turned(&header, options).0)
        }
    });
    size.map_err(|source| failed(path, source))
}

/// Whether a file begins as PNG does.
pub(super) fn is_png(path: &Path) -> Result<bool, DataError> {
    let file = std::fs::File::open(path);
    let mut file = file.map_err(|error| source::read_error(path, error))?;
    let start = source::read_up_to(&mut file, path, magic::START as u64)?;
    Ok(matches!(magic::format(&start), Ok(Format::Png)))
}

/// Refuses a WebP or BMP file that is called PNG or JPEG: whoever made the set took it for that.
///
/// PNG and JPEG under each other's names are common, and read.
fn is_named_right(path: &Path, file: &[u8]) -> Result<(), DecodeError> {
    let found = match magic::format(file) {
        Ok(Format::WebP) => "WebP",
        Ok(Format::Bmp) => "BMP",
        _ => return Ok(()),
    };
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let others = ["png", "jpg", "jpeg", "jpe", "jfif"];
    if others.iter().any(|other| extension == *other) {
        return Err(DecodeError::Misnamed(found));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    if !path.exists() {
        return Err(source::missing(path));
    }
    std::fs::read(path).map_err(|error| source::read_error(path, error))
}

fn failed(path: &Path, source: DecodeError) -> DataError {
    DataError::Decode {
        path: path.to_path_buf(),
        source,
    }
}

fn decode(file: &[u8], options: Options) -> Result<Picture, DecodeError> {
    let picture = match magic::format(file)? {
        Format::Png => png::decode(file),
        Format::Jpeg => jpeg::decode(file),
        Format::WebP => webp::decode(file),
        Format::Bmp => bmp::decode(file),
    }?;
    let picture = with_channels(picture, options.channels);
    if !options.exif_rotation {
        return Ok(picture);
    }
    let (_, orientation) = turned(&header(file)?, options);
    Ok(orientation::turn(picture, orientation))
}

fn header(file: &[u8]) -> Result<Header, DecodeError> {
    match magic::format(file)? {
        Format::Png => png::header(file),
        Format::Jpeg => jpeg::header(file),
        Format::WebP => webp::header(file),
        Format::Bmp => bmp::header(file),
    }
}

/// The size after turning, and the orientation to turn by.
fn turned(header: &Header, options: Options) -> ([usize; 2], u16) {
    let exif = header.exif.as_deref().filter(|_| options.exif_rotation);
    let orientation = exif.and_then(orientation::of).unwrap_or(1);
    let [height, width] = header.size;
    if orientation >= 5 {
        ([width, height], orientation)
    } else {
        ([height, width], orientation)
    }
}

/// Whether a file ends as a complete one does; a complete one may also have bytes after that.
fn ends(file: &[u8]) -> bool {
    match magic::format(file) {
        Ok(Format::Png) => file.ends_with(b"IEND\xae\x42\x60\x82"),
        Ok(Format::Jpeg) => file.ends_with(b"\xff\xd9"),
        Ok(Format::WebP) => {
            let length = file.get(4..8).and_then(|bytes| bytes.try_into().ok());
            let length = length.map_or(usize::MAX, |bytes| u32::from_le_bytes(bytes) as usize);
            file.len() >= length.saturating_add(8)
        }
        Ok(Format::Bmp) | Err(_) => false,
    }
}

fn check_size(
    [height, width]: [usize; 2],
    file_bytes: usize,
    largest_ratio: usize,
) -> Result<(), DecodeError> {
    let decoded = width.checked_mul(height);
    if decoded.is_some_and(|pixels| pixels / largest_ratio <= file_bytes) {
        return Ok(());
    }
    Err(DecodeError::TooLarge {
        width,
        height,
        file_bytes,
    })
}

/// Lays transparent pixels on white, then makes grey or colour of it.
pub(super) fn with_channels(picture: Picture, channels: usize) -> Picture {
    if picture.channels == channels {
        return picture;
    }
    let mut bytes = Vec::with_capacity(picture.size[0] * picture.size[1] * channels);
    for pixel in picture.bytes.chunks_exact(picture.channels) {
        let [r, g, b, alpha] = match *pixel {
            [grey] => [grey, grey, grey, 255],
            [grey, alpha] => [grey, grey, grey, alpha],
            [r, g, b] => [r, g, b, 255],
            [r, g, b, alpha, ..] => [r, g, b, alpha],
            [] => [0; 4],
        };
        let on_white = |v: u8| {
            let (v, alpha) = (u32::from(v), u32::from(alpha));
            (v * alpha + 255 * (255 - alpha) + 127) / 255
        };
        let [r, g, b] = [r, g, b].map(on_white);
        if channels == 1 {
            bytes.push(((299 * r + 587 * g + 114 * b + 500) / 1000) as u8);
        } else {
            bytes.extend([r, g, b].map(|v| v as u8));
        }
    }
    Picture {
        channels,
        bytes,
        ..picture
    }
}

#[cfg(test)]
mod tests;
