//! JPEG.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Header, LARGEST_RATIO, Picture, check_size};
use crate::error::DecodeError;

type Decoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

pub(super) fn header(file: &[u8]) -> Result<Header, DecodeError> {
    let (decoder, size) = open(file)?;
    let exif = decoder.exif().cloned();
    Ok(Header { size, exif })
}

pub(super) fn decode(file: &[u8]) -> Result<Picture, DecodeError> {
    let (mut decoder, size) = open(file)?;
    let bytes = decoder.decode()?;
    Ok(Picture {
        size,
        channels: 3,
        bytes,
    })
}

fn open(file: &[u8]) -> Result<(Decoder<'_>, [usize; 2]), DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers()?;
    let (width, height) = decoder.dimensions().ok_or(DecodeError::Unknown)?;
    check_size([height, width], file.len(), LARGEST_RATIO)?;
    Ok((decoder, [height, width]))
}
