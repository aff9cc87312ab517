//! WebP, lossy and lossless; of an animation the first frame.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{Header, Picture, check_size};
use crate::error::DecodeError;

/// Most decoded pixels per byte: one colour needs some 40 bytes at any size, here up to 1600×1600.
const LARGEST_RATIO: usize = 1 << 16;

type Decoder<'a> = WebPDecoder<Cursor<&'a [u8]>>;

pub(super) fn header(file: &[u8]) -> Result<Header, DecodeError> {
    let (mut decoder, size) = open(file)?;
    let exif = decoder.exif_metadata()?;
    Ok(Header { size, exif })
}

pub(super) fn decode(file: &[u8]) -> Result<Picture, DecodeError> {
    let (mut decoder, size) = open(file)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut bytes = vec![0; size[0] * size[1] * channels];
    decoder.read_image(&mut bytes)?;
    Ok(Picture {
        size,
        channels,
        bytes,
    })
}

fn open(file: &[u8]) -> Result<(Decoder<'_>, [usize; 2]), DecodeError> {
    let decoder = WebPDecoder::new(Cursor::new(file))?;
    let (width, height) = decoder.dimensions();
    let size = [height as usize, width as usize];
    check_size(size, file.len(), LARGEST_RATIO)?;
    Ok((decoder, size))
}
