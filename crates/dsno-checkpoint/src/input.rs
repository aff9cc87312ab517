//! Reading that knows where it is and pays for what it keeps.

use std::io::{self, BufReader, ErrorKind, Read};

use super::budget::Budget;
use super::parse_error::ParseError;
use super::source::{Section, Source};

/// Bytes in order.
#[derive(Debug)]
pub(super) struct Input<R> {
    inner: R,
    at: u64,
}

impl<'a> Input<BufReader<Section<'a>>> {
    /// A part of a file; positions are those of the file.
    pub(super) fn of_file(source: &'a Source, at: u64, length: u64) -> Self {
        let inner = BufReader::new(source.section(at, length));
        Self { inner, at }
    }

    /// Passes over bytes without reading them.
    pub(super) fn jump(&mut self, length: u64, source: &Source) -> Result<(), ParseError> {
        if !source.holds(self.at, length) {
            return Err(ParseError::Truncated { at: self.at });
        }
        let by = i64::try_from(length)
            .ok()
            .ok_or(ParseError::Truncated { at: self.at })?;
        self.inner.seek_relative(by).map_err(ParseError::Read)?;
        self.at += length;
        Ok(())
    }
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, at: 0 }
    }

    /// The position of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ParseError> {
        self.inner
            .read_exact(buffer)
            .map_err(|error| fault(error, self.at))?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ParseError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// So many bytes, paid for before they are asked for, and kept only as they come.
    pub(super) fn bytes(
        &mut self,
        length: u64,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, ParseError> {
        budget.spend_values::<u8>(length as usize)?;
        let mut bytes = Vec::with_capacity(length.min(4096) as usize);
        let read = (&mut self.inner).take(length).read_to_end(&mut bytes);
        if read.map_err(|error| fault(error, self.at))? as u64 != length {
            return Err(ParseError::Truncated { at: self.at });
        }
        self.at += length;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, length: u64, budget: &mut Budget) -> Result<String, ParseError> {
        let at = self.at;
        let bytes = self.bytes(length, budget)?;
        String::from_utf8(bytes)
            .ok()
            .ok_or(ParseError::NotText { at })
    }

    /// A line without its end.
    pub(super) fn line(&mut self, longest: usize) -> Result<String, ParseError> {
        let (at, mut bytes) = (self.at, Vec::new());
        loop {
            match self.byte()? {
                b'\n' => {
                    return String::from_utf8(bytes)
                        .ok()
                        .ok_or(ParseError::NotText { at });
                }
                _ if bytes.len() == longest => {
                    return Err(ParseError::NameTooLong { allowed: longest });
                }
                byte => bytes.push(byte),
            }
        }
    }

    /// Reads bytes and forgets them.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), ParseError> {
        let mut some = (&mut self.inner).take(length);
        let read = io::copy(&mut some, &mut io::sink()).map_err(|error| fault(error, self.at))?;
        if read != length {
            return Err(ParseError::Truncated { at: self.at });
        }
        self.at += read;
        Ok(())
    }
}

/// What an error of a reader means.
fn fault(error: io::Error, at: u64) -> ParseError {
    match error.kind() {
        ErrorKind::UnexpectedEof => ParseError::Truncated { at },
        // Inflating says so of bytes that no deflating gives.
        ErrorKind::InvalidData | ErrorKind::InvalidInput => ParseError::Inflate { at },
        _ => ParseError::Read(error),
    }
}
