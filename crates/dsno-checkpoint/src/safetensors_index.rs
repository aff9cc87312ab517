//! The safetensors format: the length of a header, the header in JSON, the bytes.
//!
//! ```text
//! u64 n · {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …} (n bytes) · data
//! ```
//!
//! Tensors must fill the data without gap or overlap, as the format's own reader demands.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Index;
use super::budget::Budget;
use super::dtype::DType;
use super::input::Input;
use super::parse_error::ParseError;
use super::source::Source;
use super::storage::Storage;
use super::stored::{LONGEST_NAME, MOST_AXES, Stored};

/// The format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;
/// Bytes of the header's length.
const LENGTH: u64 = 8;

pub(super) fn index(source: &Source, budget: &mut Budget) -> Result<Index, ParseError> {
    let claimed = u64::from_le_bytes(Input::of_file(source, 0, LENGTH).array()?);
    let allowed = (source.length() - LENGTH).min(LONGEST_HEADER);
    if claimed > allowed {
        return Err(ParseError::HeaderTooLong { claimed, allowed });
    }
    let header = std::io::BufReader::new(source.section(LENGTH, claimed));
    let mut json = serde_json::Deserializer::from_reader(header);
    let mut entries = Entries {
        found: Vec::new(),
        fault: None,
        budget,
    };
    let parsed = entries.deserialize(&mut json).and_then(|()| json.end());
    if let Some(fault) = entries.fault {
        return Err(fault);
    }
    parsed.map_err(|error| match error.io_error_kind() {
        Some(_) => ParseError::Read(error.into()),
        None => ParseError::Header(error),
    })?;
    let mut found = entries.found;
    found.sort_by_key(|(_, entry)| entry.data_offsets);
    place(found, LENGTH + claimed, source)
}

/// Puts tensors, in the order of their bytes, into the data that begins at `data`.
fn place(found: Vec<(String, Entry)>, data: u64, source: &Source) -> Result<Index, ParseError> {
    let length = source.length() - data;
    let (mut index, mut expected) = (Index::new(), 0);
    for (name, entry) in found {
        let (begin, end) = entry.data_offsets;
        if begin != expected {
            return Err(ParseError::Misplaced {
                name,
                found: begin,
                expected,
            });
        }
        if end < begin || end > length {
            return Err(ParseError::Outside { name, end, length });
        }
        let Some(element) = DType::of_safetensors(&entry.dtype) else {
            return Err(ParseError::UnknownElement {
                name,
                // It can be as long as the file.
                found: entry.dtype.chars().take(32).collect(),
            });
        };
        let storage = Storage::Plain {
            at: data + begin,
            length: end - begin,
            checksum: None,
        };
        let stored = Stored::dense(&name, element, entry.shape.0, storage)?;
        if index.contains_key(&name) {
            return Err(ParseError::Duplicate { name });
        }
        index.insert(name, stored);
        expected = end;
    }
    if expected != length {
        return Err(ParseError::Trailing {
            at: data + expected,
            found: length - expected,
        });
    }
    Ok(index)
}

/// What the header says of one tensor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// A shape of few enough axes.
#[derive(Debug)]
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Axes(PhantomData))
    }
}

struct Axes(PhantomData<Shape>);

impl<'de> Visitor<'de> for Axes {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_AXES} axes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut axes: A) -> Result<Shape, A::Error> {
        let mut shape = Vec::new();
        while let Some(length) = axes.next_element()? {
            if shape.len() == MOST_AXES {
                return Err(A::Error::invalid_length(MOST_AXES + 1, &self));
            }
            shape.push(length);
        }
        Ok(Shape(shape))
    }
}

/// Collects the header's entries, paying for each.
struct Entries<'a> {
    found: Vec<(String, Entry)>,
    /// What stopped the parser, where that is not the JSON.
    fault: Option<ParseError>,
    budget: &'a mut Budget,
}

impl<'de> DeserializeSeed<'de> for &mut Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let entry: Entry = map.next_value()?;
            // The list of entries and the index made from it are there together.
            let paid = Stored::spend(&name, entry.shape.0.len(), self.budget)
                .and_then(|()| self.budget.spend_values::<(String, Entry)>(1));
            let paid = match paid {
                Ok(()) if name.len() > LONGEST_NAME => Err(ParseError::NameTooLong {
                    allowed: LONGEST_NAME,
                }),
                paid => paid,
            };
            if let Err(fault) = paid {
                self.fault = Some(fault);
                return Err(A::Error::custom("stopped"));
            }
            self.found.push((name, entry));
        }
        Ok(())
    }
}
