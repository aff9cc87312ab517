//! Runs of bytes that tensors are made of, and reading them in order.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::input::Input;
use super::parse_error::ParseError;
use super::source::Source;

/// Bytes that are decoded together: a multiple of every element's size.
const CHUNK: usize = 64 << 10;

/// A run of bytes that tensors are made of.
#[derive(Debug, Clone)]
pub(super) enum Storage {
    /// As they are.
    Plain {
        at: u64,
        length: u64,
        checksum: Option<u32>,
    },
    /// Deflated; `length` bytes when inflated.
    Deflated {
        at: u64,
        packed: u64,
        length: u64,
        checksum: Option<u32>,
    },
    /// Pieces (place and length) to be put one after the other.
    Pieces(Vec<(u64, u64)>),
}

impl Storage {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Plain { length, .. } | Self::Deflated { length, .. } => *length,
            Self::Pieces(pieces) => pieces.iter().map(|(_, length)| length).sum(),
        }
    }

    /// Hands over bytes `begin..begin + length` in chunks; all of them are also checked.
    pub(super) fn read(
        &self,
        source: &Source,
        begin: u64,
        length: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ParseError> {
        match self {
            Self::Plain {
                at,
                length: whole,
                checksum,
            } => {
                let mut input = Input::new(source.section(at.saturating_add(begin), length));
                copy(
                    &mut input,
                    length,
                    checksum.filter(|_| length == *whole),
                    take,
                )
            }
            Self::Deflated {
                at,
                packed,
                length: whole,
                checksum,
            } => {
                let mut input = Input::new(DeflateDecoder::new(source.section(*at, *packed)));
                input.skip(begin)?;
                copy(
                    &mut input,
                    length,
                    checksum.filter(|_| length == *whole),
                    take,
                )
            }
            Self::Pieces(pieces) => {
                let (mut begin, mut left) = (begin, length);
                for (at, length) in pieces {
                    let skipped = begin.min(*length);
                    let some = (length - skipped).min(left);
                    let mut input = Input::new(source.section(at + skipped, some));
                    copy(&mut input, some, None, &mut take)?;
                    (begin, left) = (begin - skipped, left - some);
                }
                Ok(())
            }
        }
    }
}

/// Reads in chunks of whole elements.
fn copy<R: Read>(
    input: &mut Input<R>,
    length: u64,
    checksum: Option<u32>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), ParseError> {
    let (mut left, mut crc) = (length, Crc::new());
    let mut buffer = vec![0; CHUNK.min(length as usize)];
    while left > 0 {
        let chunk = &mut buffer[..left.min(CHUNK as u64) as usize];
        input.fill(chunk)?;
        crc.update(chunk);
        take(chunk);
        left -= chunk.len() as u64;
    }
    match checksum {
        // PyTorch can leave checksums out and then writes zero.
        Some(expected) if expected != 0 && expected != crc.sum() => Err(ParseError::Checksum {
            found: crc.sum(),
            expected,
        }),
        _ => Ok(()),
    }
}
