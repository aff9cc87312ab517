//! The orientation that cameras write into EXIF data.

use super::Picture;

/// The tag of the orientation in a TIFF directory.
const TAG: u16 = 0x0112;

/// Finds the orientation, 1 to 8, in TIFF data; 1 is upright.
pub(super) fn of(exif: &[u8]) -> Option<u16> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = long(4)? as usize;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|index| directory + 2 + index * 12);
    let entry = entry.into_iter().find(|&entry| short(entry) == Some(TAG))?;
    short(entry + 8).filter(|orientation| (1..=8).contains(orientation))
}

/// Turns and mirrors a picture so that it is upright.
pub(super) fn turn(picture: Picture, orientation: u16) -> Picture {
    if orientation <= 1 {
        return picture;
    }
    let [height, width] = picture.size;
    let size = if orientation >= 5 {
        [width, height]
    } else {
        [height, width]
    };
    let channels = picture.channels;
    let mut bytes = Vec::with_capacity(picture.bytes.len());
    for y in 0..size[0] {
        for x in 0..size[1] {
            let (row, column) = match orientation {
                2 => (y, width - 1 - x),
                3 => (height - 1 - y, width - 1 - x),
                4 => (height - 1 - y, x),
                5 => (x, y),
                6 => (height - 1 - x, y),
                7 => (height - 1 - x, width - 1 - y),
                _ => (x, width - 1 - y),
            };
            let start = (row * width + column) * channels;
            bytes.extend_from_slice(&picture.bytes[start..start + channels]);
        }
    }
    Picture {
        size,
        channels,
        bytes,
    }
}
