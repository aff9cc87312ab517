//! What `flax.serialization` writes: nested maps in MessagePack with arrays as extensions.
//!
//! | extension | payload                                                        |
//! |-----------|----------------------------------------------------------------|
//! | 1         | array: MessagePack of (shape, name of the NumPy type, bytes)   |
//! | 2         | complex number of Python; passed over                          |
//! | 3         | scalar of NumPy: as 1, of empty shape                          |
//!
//! An array of more than 2³⁰ bytes is a map instead: `__msgpack_chunked_array__`, its `shape`, and
//! `chunks`, both keyed by decimal numbers. Plain numbers, texts and `None` are no tensors and are
//! passed over. (Flax 0.12, `flax/serialization.py`.)

mod message;

use std::io::BufReader;

use rmp::Marker;

use super::Index;
use super::budget::Budget;
use super::dtype::DType;
use super::input::Input;
use super::parse_error::ParseError;
use super::source::{Section, Source};
use super::storage::Storage;
use super::stored::{LONGEST_NAME, MOST_AXES, Stored};

const DEEPEST: usize = 64;
const IN_PIECES: &str = "__msgpack_chunked_array__";

pub(super) fn index(source: &Source, budget: &mut Budget) -> Result<Index, ParseError> {
    let mut reader = Reader {
        input: Input::of_file(source, 0, source.length()),
        source,
        budget,
        path: String::new(),
        index: Index::new(),
    };
    reader.value(0)?;
    let at = reader.input.at();
    match source.length() - at {
        0 => Ok(reader.index),
        found => Err(ParseError::Trailing { at, found }),
    }
}

struct Reader<'a> {
    input: Input<BufReader<Section<'a>>>,
    source: &'a Source,
    budget: &'a mut Budget,
    /// Name of the value that is read.
    path: String,
    index: Index,
}

/// Elements, shape, place and length of an array's bytes.
struct Array {
    element: DType,
    shape: Vec<usize>,
    piece: (u64, u64),
}

impl Reader<'_> {
    /// Any value; arrays go to the index, whatever else is no container is passed over.
    fn value(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth > DEEPEST {
            return Err(ParseError::TooDeep { allowed: DEEPEST });
        }
        let marker = self.marker()?;
        if let Some(entries) = self.map_length(marker)? {
            return self.map(entries, depth);
        }
        if let Some(length) = self.array_length(marker)? {
            for place in 0..length {
                self.below(&place.to_string(), |reader| reader.value(depth + 1))?;
            }
            return Ok(());
        }
        match self.extension(marker)? {
            Some((1 | 3, length)) => {
                let Array {
                    element,
                    shape,
                    piece,
                } = self.array(length)?;
                self.insert(element, shape, vec![piece])
            }
            Some((_, length)) => self.input.jump(length, self.source),
            None => self.pass_over(marker),
        }
    }

    fn map(&mut self, entries: u64, depth: usize) -> Result<(), ParseError> {
        for place in 0..entries {
            let key = self.text()?;
            if place == 0 && key == IN_PIECES {
                return self.array_in_pieces(entries);
            }
            self.below(&key, |reader| reader.value(depth + 1))?;
        }
        Ok(())
    }

    /// Reads with a key at the end of the path.
    fn below<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(key);
        if self.path.len() > LONGEST_NAME {
            return Err(ParseError::NameTooLong {
                allowed: LONGEST_NAME,
            });
        }
        let read = read(self)?;
        self.path.truncate(length);
        Ok(read)
    }

    /// The rest of a map that holds one array in pieces, its first key already read.
    fn array_in_pieces(&mut self, entries: u64) -> Result<(), ParseError> {
        let (at, mut shape, mut pieces, mut element) = (self.input.at(), None, None, None);
        let wrong = |expected| ParseError::MessagePack { at, expected };
        if self.marker()? != Marker::True || entries != 3 {
            return Err(wrong("an array in pieces"));
        }
        for _ in 1..entries {
            match self.text()?.as_str() {
                "shape" => {
                    let mut lengths = Vec::new();
                    self.numbered(|reader| {
                        if lengths.len() == MOST_AXES {
                            return Err(ParseError::TooManyAxes { allowed: MOST_AXES });
                        }
                        lengths.push(reader.length()?);
                        Ok(())
                    })?;
                    shape = Some(lengths);
                }
                "chunks" => {
                    let mut places = Vec::new();
                    self.numbered(|reader| {
                        let at = reader.input.at();
                        let marker = reader.marker()?;
                        let Some((1, length)) = reader.extension(marker)? else {
                            let expected = "a piece of an array";
                            return Err(ParseError::MessagePack { at, expected });
                        };
                        let array = reader.array(length)?;
                        reader.budget.spend_values::<(u64, u64)>(1)?;
                        if *element.get_or_insert(array.element) != array.element {
                            let expected = "a piece of the same type as those before it";
                            return Err(ParseError::MessagePack { at, expected });
                        }
                        places.push(array.piece);
                        Ok(())
                    })?;
                    pieces = Some(places);
                }
                _ => return Err(wrong("an array in pieces")),
            }
        }
        let (Some(shape), Some(pieces)) = (shape, pieces) else {
            return Err(wrong("an array in pieces with shape and chunks"));
        };
        let element = element.ok_or(wrong("an array with at least one piece"))?;
        self.insert(element, shape, pieces)
    }

    /// A map whose keys are 0, 1, 2, … in this order.
    fn numbered(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        let at = self.input.at();
        let marker = self.marker()?;
        let Some(entries) = self.map_length(marker)? else {
            let expected = "a map of numbered values";
            return Err(ParseError::MessagePack { at, expected });
        };
        for expected in 0..entries as usize {
            let found = self.text()?;
            if found != expected.to_string() {
                let name = self.path.clone();
                return Err(ParseError::Piece {
                    name,
                    found,
                    expected,
                });
            }
            read(self)?;
        }
        Ok(())
    }

    /// Shape, type and place of an array whose payload of `length` bytes comes next.
    fn array(&mut self, length: u64) -> Result<Array, ParseError> {
        let at = self.input.at();
        let wrong = |expected| ParseError::MessagePack { at, expected };
        let marker = self.marker()?;
        if self.array_length(marker)? != Some(3) {
            return Err(wrong("an array of shape, type and bytes"));
        }
        let marker = self.marker()?;
        let axes = self.array_length(marker)?;
        let axes = axes.ok_or(wrong("an array of shape, type and bytes"))?;
        if axes > MOST_AXES as u64 {
            return Err(ParseError::TooManyAxes { allowed: MOST_AXES });
        }
        let shape = (0..axes).map(|_| self.length()).collect::<Result<_, _>>()?;
        let found = self.text()?;
        let Some(element) = DType::of_numpy(&found) else {
            let name = self.path.clone();
            return Err(ParseError::UnknownElement { name, found });
        };
        let marker = self.marker()?;
        let bytes = self.bytes_length(marker)?;
        let bytes = bytes.ok_or(wrong("an array of shape, type and bytes"))?;
        let piece = (self.input.at(), bytes);
        self.input.jump(bytes, self.source)?;
        if self.input.at() - at != length {
            return Err(wrong("an array as long as its extension"));
        }
        Ok(Array {
            element,
            shape,
            piece,
        })
    }

    fn insert(
        &mut self,
        element: DType,
        shape: Vec<usize>,
        pieces: Vec<(u64, u64)>,
    ) -> Result<(), ParseError> {
        Stored::spend(&self.path, shape.len(), self.budget)?;
        self.budget.spend_values::<(u64, u64)>(1)?;
        let stored = Stored::dense(&self.path, element, shape, Storage::Pieces(pieces))?;
        match self.index.insert(self.path.clone(), stored) {
            None => Ok(()),
            Some(_) => Err(ParseError::Duplicate {
                name: self.path.clone(),
            }),
        }
    }
}
