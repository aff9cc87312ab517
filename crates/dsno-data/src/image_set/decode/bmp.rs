//! BMP without compression: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits.

use super::{Header, Picture};
use crate::error::DecodeError;

const CUT: DecodeError = DecodeError::Bmp("the BMP file is cut off");

/// What the headers of a file say.
struct Layout {
    size: [usize; 2],
    bottom_up: bool,
    bits: usize,
    /// Colours of the palette, red, green, blue.
    palette: Vec<[u8; 3]>,
    /// Bits of red, green, blue and alpha in a pixel of 16 or 32 bits.
    masks: [u32; 4],
    /// Where the rows begin, and bytes from one to the next.
    start: usize,
    stride: usize,
}

pub(super) fn header(file: &[u8]) -> Result<Header, DecodeError> {
    let layout = Layout::read(file)?;
    Ok(Header {
        size: layout.size,
        exif: None,
    })
}

pub(super) fn decode(file: &[u8]) -> Result<Picture, DecodeError> {
    let layout = Layout::read(file)?;
    let [height, width] = layout.size;
    let alpha = layout.masks[3] != 0;
    let channels = if alpha { 4 } else { 3 };
    let mut bytes = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        let row = if layout.bottom_up { height - 1 - y } else { y };
        let row = &file[layout.start + row * layout.stride..][..layout.stride];
        for x in 0..width {
            let pixel = layout.pixel(row, x)?;
            bytes.extend_from_slice(&pixel[..channels]);
        }
    }
    Ok(Picture {
        size: layout.size,
        channels,
        bytes,
    })
}

impl Layout {
    fn read(file: &[u8]) -> Result<Self, DecodeError> {
        let start = long(file, 10)? as usize;
        let header_bytes = long(file, 14)? as usize;
        let old = header_bytes == 12;
        if !old && !(16..=4096).contains(&header_bytes) {
            return Err(DecodeError::Bmp("it is BMP with an unknown header"));
        }
        let (width, height, bits) = if old {
            let height = i64::from(short(file, 20)?);
            (i64::from(short(file, 18)?), height, short(file, 24)?)
        } else {
            let signed = |at| long(file, at).map(|value| i64::from(value.cast_signed()));
            (signed(18)?, signed(22)?, short(file, 28)?)
        };
        let field = |at: usize| {
            if header_bytes >= at + 4 {
                long(file, 14 + at)
            } else {
                Ok(0)
            }
        };
        let compression = if old { 0 } else { field(16)? };
        let bits = usize::from(bits);
        let masks = match (compression, bits) {
            (0, 1 | 4 | 8 | 24) => [0; 4],
            (0, 16) => [0x7c00, 0x03e0, 0x001f, 0],
            (0, 32) => [0x00ff_0000, 0xff00, 0xff, 0],
            (3 | 6, 16 | 32) => {
                let has_alpha = header_bytes >= 56 || compression == 6;
                let alpha = if has_alpha { long(file, 66)? } else { 0 };
                [long(file, 54)?, long(file, 58)?, long(file, 62)?, alpha]
            }
            (1 | 2, _) => {
                return Err(DecodeError::Bmp(
                    "it is BMP with run-length compression, which is not read: convert it to PNG",
                ));
            }
            _ => {
                return Err(DecodeError::Bmp(
                    "it is BMP of a kind that is not read: convert it to PNG",
                ));
            }
        };
        if width <= 0 || height == 0 {
            return Err(DecodeError::Bmp("the BMP file has no pixels"));
        }
        let size = [height.unsigned_abs() as usize, width as usize];
        let stride = (size[1] * bits).div_ceil(32) * 4;
        let end = stride.checked_mul(size[0]);
        let end = end.and_then(|bytes| bytes.checked_add(start));
        if end.is_none_or(|end| end > file.len()) {
            return Err(CUT);
        }
        let entry_bytes = if old { 3 } else { 4 };
        let colours = match (bits, if old { 0 } else { field(32)? as usize }) {
            (16.., _) => 0,
            (_, 0) => 1 << bits,
            (_, used) => used.min(1 << bits),
        };
        let palette = file.get(14 + header_bytes..).ok_or(CUT)?;
        let palette = palette.chunks_exact(entry_bytes).take(colours);
        Ok(Self {
            size,
            bottom_up: height > 0,
            bits,
            palette: palette
                .map(|entry| [entry[2], entry[1], entry[0]])
                .collect(),
            masks,
            start,
            stride,
        })
    }

    /// Red, green, blue and alpha of the pixel at `x` of a row.
    fn pixel(&self, row: &[u8], x: usize) -> Result<[u8; 4], DecodeError> {
        let [r, g, b] = match self.bits {
            24 => [row[x * 3 + 2], row[x * 3 + 1], row[x * 3]],
            16 | 32 => {
                let bytes = self.bits / 8;
                let pixel = &row[x * bytes..][..bytes];
                let value = pixel.iter().rev().fold(0, |v, &b| v << 8 | u32::from(b));
                return Ok(self.masks.map(|mask| masked(value, mask)));
            }
            bits => {
                let (byte, shift) = (x * bits / 8, 8 - bits - x * bits % 8);
                let index = row[byte] >> shift & (0xff >> (8 - bits));
                let outside = DecodeError::Bmp("the BMP file has a colour outside its palette");
                *self.palette.get(usize::from(index)).ok_or(outside)?
            }
        };
        Ok([r, g, b, 255])
    }
}

/// The bits of a mask, stretched to a byte.
fn masked(value: u32, mask: u32) -> u8 {
    if mask == 0 {
        return 0;
    }
    let largest = u64::from(mask >> mask.trailing_zeros());
    let found = u64::from((value & mask) >> mask.trailing_zeros());
    (found * 255 / largest) as u8
}

fn short(file: &[u8], at: usize) -> Result<u16, DecodeError> {
    let bytes = file.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or(CUT)
}

fn long(file: &[u8], at: usize) -> Result<u32, DecodeError> {
    let bytes = file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or(CUT)
}
