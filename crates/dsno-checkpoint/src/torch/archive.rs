//! The zip archive that `torch.save` writes since version 1.6.
//!
//! ```text
//! (local header · bytes) per entry · directory (header per entry) · [64-bit end] · end
//! ```
//!
//! Of zip (APPNOTE 6.3.10) this reads what an archive of tensors can contain: entries stored or
//! deflated, sizes of 32 and 64 bits, one disk.

use std::collections::HashMap;
use std::io::{BufReader, Read};

use flate2::read::DeflateDecoder;

use super::value::Heap;
use super::{Index, pickle, resolve};
use crate::budget::Budget;
use crate::input::Input;
use crate::parse_error::ParseError;
use crate::source::{Section, Source};
use crate::storage::Storage;
use crate::stored::LONGEST_NAME;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";
/// Bytes of the end without its comment, which is at most 65535 bytes long.
const END_LENGTH: u64 = 22;
/// Bytes of the record before the end that says where the 64-bit end is.
const LOCATOR_LENGTH: u64 = 20;

pub(super) fn index(source: &Source, budget: &mut Budget) -> Result<Index, ParseError> {
    let entries = directory(source, budget)?;
    // The archive's folder has any name; nothing deeper has a pickle of this name.
    let roots = entries.keys().filter_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        (root.is_empty() || root.ends_with('/')).then_some(root)
    });
    let root = roots.min_by_key(|root| (root.len(), *root));
    let root = root.ok_or_else(|| ParseError::NoEntry {
        entry: "data.pkl".to_owned(),
    })?;
    let entry = |name: &str| entries.get(&format!("{root}{name}"));

    if let Some(order) = entry("byteorder") {
        let mut order = reader(source, &order.find(source, budget)?);
        if order.bytes(3, budget)? == b"big" {
            return Err(ParseError::BigEndian);
        }
    }
    let value = entry("data.pkl").ok_or_else(|| ParseError::NoEntry {
        entry: "data.pkl".to_owned(),
    })?;
    let (mut heap, length, value) = (Heap::default(), value.length, value.find(source, budget)?);
    // Reading all of it checks it.
    value.read(source, 0, length, |_| {})?;
    let root = pickle::read(&mut reader(source, &value), &mut heap, budget)?;

    let allowed = budget.allowed();
    let find = |key: &str, expected: u64| {
        let missing = || ParseError::NoStorage {
            key: key.to_owned(),
        };
        let entry = entry(&format!("data/{key}")).ok_or_else(missing)?;
        if entry.length != expected {
            return Err(ParseError::StorageSize {
                key: key.to_owned(),
                found: entry.length,
                expected,
            });
        }
        entry.find_within(source, allowed)
    };
    resolve(&heap, root, &find, budget)
}

/// Bytes of an entry, inflated where need be.
fn reader<'a>(source: &'a Source, storage: &Storage) -> Input<Box<dyn Read + 'a>> {
    let section = |at, length| BufReader::new(source.section(at, length));
    Input::new(match *storage {
        Storage::Plain { at, length, .. } => Box::new(section(at, length)),
        Storage::Deflated {
            at, packed, length, ..
        } => {
            let inflated = DeflateDecoder::new(section(at, packed));
            Box::new(BufReader::new(inflated.take(length)))
        }
        Storage::Pieces(_) => Box::new(std::io::empty()),
    })
}

/// What the directory says of an entry.
#[derive(Debug)]
struct Entry {
    name: String,
    method: u16,
    is_encrypted: bool,
    checksum: u32,
    packed: u64,
    length: u64,
    /// Where its local header is.
    header: u64,
}

impl Entry {
    fn find(&self, source: &Source, budget: &Budget) -> Result<Storage, ParseError> {
        self.find_within(source, budget.allowed())
    }

    /// Where the bytes are; at most `allowed` when inflated.
    fn find_within(&self, source: &Source, allowed: u64) -> Result<Storage, ParseError> {
        let mut local = Input::new(source.section(self.header, 30));
        let wrong = |expected| ParseError::Zip {
            expected,
            at: self.header,
        };
        let header: [u8; 30] = local.array().ok().ok_or(wrong("local header"))?;
        if header[..4] != *LOCAL {
            return Err(wrong("local header"));
        }
        let [.., name_0, name_1, extra_0, extra_1] = header;
        let name = u64::from(u16::from_le_bytes([name_0, name_1]));
        let extra = u64::from(u16::from_le_bytes([extra_0, extra_1]));
        // Reading the header has shown that this is inside the file.
        let at = self.header + header.len() as u64 + name + extra;
        let (length, checksum) = (self.length, Some(self.checksum));
        if !source.holds(at, self.packed) {
            return Err(wrong("entry inside the file"));
        }
        match self.method {
            0 if !self.is_encrypted && self.packed == length => Ok(Storage::Plain {
                at,
                length,
                checksum,
            }),
            8 if !self.is_encrypted && length <= allowed => Ok(Storage::Deflated {
                at,
                packed: self.packed,
                length,
                checksum,
            }),
            8 if !self.is_encrypted => Err(ParseError::TooLarge {
                bytes: length,
                allowed,
            }),
            0 if !self.is_encrypted => Err(wrong("stored entry of one length")),
            method => Err(ParseError::ZipMethod {
                entry: self.name.clone(),
                method,
            }),
        }
    }
}

/// All entries by name.
fn directory(source: &Source, budget: &mut Budget) -> Result<HashMap<String, Entry>, ParseError> {
    let (at, count) = end(source)?;
    let mut input = Input::of_file(source, at, source.length());
    let mut entries = HashMap::new();
    for _ in 0..count {
        let at = input.at();
        let entry = entry(&mut input, budget)?;
        let name = entry.name.clone();
        if entries.insert(name, entry).is_some() {
            let expected = "directory without equal names";
            return Err(ParseError::Zip { expected, at });
        }
    }
    Ok(entries)
}

/// Place and number of entries of the directory.
fn end(source: &Source) -> Result<(u64, u64), ParseError> {
    let longest = (END_LENGTH + u64::from(u16::MAX)).min(source.length());
    let begin = source.length() - longest;
    let mut tail = vec![0; longest as usize];
    Input::of_file(source, begin, longest).fill(&mut tail)?;
    let wrong = |expected, at| ParseError::Zip { expected, at };
    // The last that is as long as it says.
    let places = 0..=tail.len().saturating_sub(END_LENGTH as usize);
    let found = places.rev().find(|place| match &tail[*place..] {
        end @ [.., _] if end.len() >= END_LENGTH as usize && end.starts_with(END) => {
            let comment = usize::from(u16::from_le_bytes([end[20], end[21]]));
            end.len() == END_LENGTH as usize + comment
        }
        _ => false,
    });
    let found = found.ok_or(wrong("end of the directory", begin))?;
    let at = begin + found as u64;
    let end = &tail[found..];
    let disks = [end[4], end[5], end[6], end[7]];
    let count = u16::from_le_bytes([end[10], end[11]]);
    let directory = u32::from_le_bytes([end[16], end[17], end[18], end[19]]);
    if count != u16::MAX && directory != u32::MAX {
        let one_disk = disks == [0; 4];
        let directory = u64::from(directory);
        let place = (directory, u64::from(count));
        return one_disk
            .then_some(place)
            .ok_or(wrong("end of one disk", at));
    }
    let Some(locator) = at.checked_sub(LOCATOR_LENGTH) else {
        return Ok((directory.into(), count.into()));
    };
    let mut input = Input::of_file(source, locator, LOCATOR_LENGTH);
    if input.array::<4>()? != *LOCATOR_64 {
        return Ok((directory.into(), count.into()));
    }
    input.skip(4)?;
    let at = u64::from_le_bytes(input.array()?);
    let mut input = Input::of_file(source, at, 56);
    if input.array::<4>()? != *END_64 {
        return Err(wrong("64-bit end of the directory", at));
    }
    input.skip(28)?;
    let count = u64::from_le_bytes(input.array()?);
    input.skip(8)?;
    let directory = u64::from_le_bytes(input.array()?);
    Ok((directory, count))
}

/// One entry of the directory.
fn entry(
    input: &mut Input<BufReader<Section<'_>>>,
    budget: &mut Budget,
) -> Result<Entry, ParseError> {
    let at = input.at();
    let header: [u8; 46] = input.array()?;
    if header[..4] != *ENTRY {
        let expected = "directory entry";
        return Err(ParseError::Zip { expected, at });
    }
    let u16_at = |place: usize| u16::from_le_bytes([header[place], header[place + 1]]);
    let u32_at = |place: usize| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|byte| header[place + byte]);
        u32::from_le_bytes([a, b, c, d])
    };
    let name_length = u16_at(28);
    if usize::from(name_length) > LONGEST_NAME {
        return Err(ParseError::NameTooLong {
            allowed: LONGEST_NAME,
        });
    }
    // The map holds the name twice, and half of its places are free.
    let kept = 4 * size_of::<(String, Entry)>() as u64 + u64::from(name_length);
    budget.spend(kept)?;
    let name = input.text(name_length.into(), budget)?;
    let mut entry = Entry {
        name,
        method: u16_at(10),
        is_encrypted: u16_at(8) & 1 != 0,
        checksum: u32_at(16),
        packed: u32_at(20).into(),
        length: u32_at(24).into(),
        header: u32_at(42).into(),
    };
    let mut left = u64::from(u16_at(30));
    while left >= 4 {
        let kind = u16::from_le_bytes(input.array()?);
        let length = u64::from(u16::from_le_bytes(input.array()?));
        left = left.saturating_sub(4 + length);
        let mut unread = length;
        if kind == 1 {
            // Numbers that do not fit into 32 bits, in this order.
            for number in [&mut entry.length, &mut entry.packed, &mut entry.header] {
                if *number == u64::from(u32::MAX) && unread >= 8 {
                    *number = u64::from_le_bytes(input.array()?);
                    unread -= 8;
                }
            }
        }
        input.skip(unread)?;
    }
    input.skip(left + u64::from(u16_at(32)))?;
    Ok(entry)
}
