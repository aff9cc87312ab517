//! Loss curves as TensorBoard event files, for those who compare runs there.
//!
//! A file is a sequence of records, each an `Event` of TensorFlow's `event.proto`:
//!
//! ```text
//! length u64 | masked crc32c of length | event | masked crc32c of event        little-endian
//! event: 1 wall_time double, 2 step varint, 3 file_version string, 5 summary { 1 value { 1 tag, 2 float } }
//! mask(c) = (c >> 15 | c << 17) + 0xa282ead8
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

/// The file of one training: a tag, the images seen and the value of every point.
pub(super) fn events<'a>(points: impl IntoIterator<Item = (&'a str, u64, f64)>) -> Vec<u8> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64());
    let mut file = Vec::new();
    let mut first = field_double(1, seconds);
    first.extend(field_bytes(3, b"brain.Event:2"));
    record(&first, &mut file);
    for (tag, images, value) in points {
        let mut scalar = field_bytes(1, tag.as_bytes());
        scalar.push(2 << 3 | 5);
        scalar.extend((value as f32).to_le_bytes());
        let mut event = field_double(1, seconds);
        event.push(2 << 3);
        event.extend(varint(images));
        event.extend(field_bytes(5, &field_bytes(1, &scalar)));
        record(&event, &mut file);
    }
    file
}

fn record(event: &[u8], file: &mut Vec<u8>) {
    let length = (event.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(event);
    file.extend(masked(event).to_le_bytes());
}

fn field_double(number: u8, value: f64) -> Vec<u8> {
    let mut field = vec![number << 3 | 1];
    field.extend(value.to_le_bytes());
    field
}

fn field_bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

/// Seven bits a byte, lowest first, the top bit set on all but the last.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's cyclic redundancy check, bit by bit: these files are small.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _bit| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            }
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn records_lie_one_after_the_other() {
        let file = events([("loss", 300, 0.5)]);
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        assert_eq!(&file[12 + length - 13..12 + length], b"brain.Event:2");
        let second = &file[16 + length..];
        let length = u64::from_le_bytes(second[..8].try_into().unwrap()) as usize;
        assert_eq!(second.len(), 16 + length);
        let event = &second[12..12 + length];
        assert_eq!(event[9..12], [2 << 3, 0b1010_1100, 0b10]);
        assert_eq!(event[length - 4..], 0.5_f32.to_le_bytes());
    }
}
