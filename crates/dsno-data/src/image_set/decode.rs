//! PNG and JPEG files to bytes.

use std::io::Cursor;
use std::path::Path;

use png::{ColorType, Transformations};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::{DataError, DecodeError};
use crate::source;

/// Most decoded bytes per byte of the file: neither format compresses better, a lying header does.
const LARGEST_RATIO: usize = 4096;

/// A decoded picture, `[H, W, C]`.
pub(super) struct Picture {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) bytes: Vec<u8>,
}

impl Picture {
    /// Returns the bytes as `[C, H, W]`.
    pub(super) fn planes(&self) -> impl Iterator<Item = u8> {
        (0..self.channels).flat_map(|channel| {
            self.bytes
                .iter()
                .skip(channel)
                .step_by(self.channels)
                .copied()
        })
    }
}

/// Decodes a file to 1 or 3 channels.
pub(super) fn picture(path: &Path, channels: usize) -> Result<Picture, DataError> {
    if !path.exists() {
        return Err(source::missing(path));
    }
    let file = std::fs::read(path).map_err(|error| source::read_error(path, error))?;
    let decoded = match file.get(..3) {
        Some(b"\x89PN") => decode_png(&file),
        Some(b"\xff\xd8\xff") => decode_jpeg(&file),
        _ => Err(DecodeError::Unknown),
    };
    let decoded = decoded.map_err(|source| DataError::Decode {
        path: path.to_path_buf(),
        source,
    });
    decoded.map(|picture| with_channels(picture, channels))
}

fn decode_png(file: &[u8]) -> Result<Picture, DecodeError> {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let info = decoder.read_header_info()?;
    let (width, height) = (info.width as usize, info.height as usize);
    check_size(width, height, file.len())?;
    let mut reader = decoder.read_info()?;
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Indexed => 3,
        ColorType::Rgba => 4,
    };
    let mut bytes = vec![0; height * width * channels];
    reader.next_frame(&mut bytes)?;
    reader.finish()?;
    Ok(Picture {
        size: [height, width],
        channels,
        bytes,
    })
}

fn decode_jpeg(file: &[u8]) -> Result<Picture, DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers()?;
    let (width, height) = decoder.dimensions().ok_or(DecodeError::Unknown)?;
    check_size(width, height, file.len())?;
    let bytes = decoder.decode()?;
    Ok(Picture {
        size: [height, width],
        channels: 3,
        bytes,
    })
}

fn check_size(width: usize, height: usize, file_bytes: usize) -> Result<(), DecodeError> {
    let decoded = width.checked_mul(height);
    if decoded.is_some_and(|pixels| pixels / LARGEST_RATIO <= file_bytes) {
        return Ok(());
    }
    Err(DecodeError::TooLarge {
        width,
        height,
        file_bytes,
    })
}

/// Lays transparent pixels on white, then makes grey or colour of it.
fn with_channels(picture: Picture, channels: usize) -> Picture {
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
