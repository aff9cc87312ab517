//! The bytes of a file, by place.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a file is read from.
pub(super) trait ReadSeek: Read + Seek + Send {}

impl<R: Read + Seek + Send> ReadSeek for R {}

/// An open file; it stays the same file if its path comes to mean another.
pub(super) struct Source {
    path: PathBuf,
    reader: Mutex<Box<dyn ReadSeek>>,
    length: u64,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut source = f.debug_struct("Source");
        source
            .field("path", &self.path)
            .field("length", &self.length);
        source.finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(path: &Path, mut reader: Box<dyn ReadSeek>) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(reader),
            length,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether so many bytes from there on are inside.
    pub(super) fn holds(&self, at: u64, length: u64) -> bool {
        at.checked_add(length).is_some_and(|end| end <= self.length)
    }

    /// The bytes from `at` on, at most `length`.
    pub(super) fn section(&self, at: u64, length: u64) -> Section<'_> {
        Section {
            source: self,
            at,
            end: at.saturating_add(length).min(self.length),
        }
    }
}

/// A stretch of a file; positions are those of the file.
#[derive(Debug)]
pub(super) struct Section<'a> {
    source: &'a Source,
    at: u64,
    end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self.end.saturating_sub(self.at).min(buffer.len() as u64) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let mut reader = self
            .source
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(self.at))?;
        let read = reader.read(&mut buffer[..wanted])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
