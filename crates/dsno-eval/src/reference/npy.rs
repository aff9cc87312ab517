//! The part of NumPy's `.npy` format that reference statistics use.

use thiserror::Error;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What can be wrong with an array in `.npy` format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The bytes do not start like an array, or the header ends early.
    #[error("not an array in .npy format")]
    NotAnArray,
    /// The header lacks a key or does not read as expected.
    #[error("the header has no readable `{key}`: {header}")]
    Header {
        /// The key.
        key: &'static str,
        /// The header as it was found.
        header: String,
    },
    /// The type of the numbers is not one that is read here.
    #[error("numbers of type {found} are not read here, expected {expected}")]
    Type {
        /// Type in NumPy's notation.
        found: String,
        /// Types that are read.
        expected: &'static str,
    },
    /// The number of axes is wrong.
    #[error("{expected} axes are expected, the shape is {shape:?}")]
    Axes {
        /// Axes that are expected.
        expected: usize,
        /// Shape that was found.
        shape: Vec<usize>,
    },
    /// The data is shorter or longer than the shape says.
    #[error("shape {shape:?} needs {expected} bytes, found {found}")]
    Length {
        /// Shape in the header.
        shape: Vec<usize>,
        /// Bytes that the shape needs.
        expected: usize,
        /// Bytes that follow the header.
        found: usize,
    },
    /// A count of samples is negative.
    #[error("a count of {found} samples is not possible")]
    Count {
        /// The number that was found.
        found: i64,
    },
}

struct Array<'a> {
    descr: &'a str,
    shape: Vec<usize>,
    data: &'a [u8],
}

/// Reads an array of `f32` or `f64` with the given number of axes.
///
/// Column-major data is taken as it lies: the only matrix here is symmetric.
pub(super) fn read_floats(bytes: &[u8], axes: usize) -> Result<Vec<f64>, NpyError> {
    let array = parse(bytes)?;
    if array.shape.len() != axes {
        return Err(NpyError::Axes {
            expected: axes,
            shape: array.shape,
        });
    }
    match array.descr {
        "<f8" => Ok(array
            .numbers()?
            .into_iter()
            .map(f64::from_le_bytes)
            .collect()),
        "<f4" => {
            let numbers = array.numbers()?;
            Ok(numbers
                .into_iter()
                .map(|b| f64::from(f32::from_le_bytes(b)))
                .collect())
        }
        other => Err(NpyError::Type {
            found: other.to_owned(),
            expected: "<f8 or <f4",
        }),
    }
}

/// Reads a scalar `i64` that counts something.
pub(super) fn read_count(bytes: &[u8]) -> Result<u64, NpyError> {
    let array = parse(bytes)?;
    if array.descr != "<i8" {
        return Err(NpyError::Type {
            found: array.descr.to_owned(),
            expected: "<i8",
        });
    }
    match array.numbers()?.as_slice() {
        [only] => {
            let found = i64::from_le_bytes(*only);
            u64::try_from(found).map_err(|_negative| NpyError::Count { found })
        }
        _ => Err(NpyError::Axes {
            expected: 0,
            shape: array.shape,
        }),
    }
}

/// An array of `f64` in C order.
pub(super) fn write_floats(values: &[f64], shape: &[usize]) -> Vec<u8> {
    let mut bytes = header("<f8", shape);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A scalar `i64`.
pub(super) fn write_count(count: u64) -> Vec<u8> {
    let mut bytes = header("<i8", &[]);
    bytes.extend(i64::try_from(count).unwrap_or(i64::MAX).to_le_bytes());
    bytes
}

impl Array<'_> {
    fn numbers<const WIDTH: usize>(&self) -> Result<Vec<[u8; WIDTH]>, NpyError> {
        let expected = self
            .shape
            .iter()
            .try_fold(WIDTH, |product, axis| product.checked_mul(*axis));
        let (numbers, rest) = self.data.as_chunks::<WIDTH>();
        if expected != Some(self.data.len()) || !rest.is_empty() {
            return Err(NpyError::Length {
                shape: self.shape.clone(),
                expected: expected.unwrap_or(usize::MAX),
                found: self.data.len(),
            });
        }
        Ok(numbers.to_vec())
    }
}

fn parse(bytes: &[u8]) -> Result<Array<'_>, NpyError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::NotAnArray)?;
    // Version 1 counts the header with two bytes, versions 2 and 3 with four.
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(NpyError::NotAnArray),
    };
    let (header, data) = rest.split_at_checked(length).ok_or(NpyError::NotAnArray)?;
    let header = str::from_utf8(header).map_err(|_not_text| NpyError::NotAnArray)?;
    let unreadable = |key| NpyError::Header {
        key,
        header: header.trim().to_owned(),
    };
    let descr = value_of(header, "descr")
        .and_then(|value| value.strip_prefix('\'')?.split_once('\''))
        .ok_or_else(|| unreadable("descr"))?
        .0;
    let shape = value_of(header, "shape")
        .and_then(|value| value.strip_prefix('(')?.split_once(')'))
        .and_then(|(axes, _)| {
            let axes = axes
                .split(',')
                .map(str::trim)
                .filter(|axis| !axis.is_empty());
            axes.map(|axis| axis.parse().ok())
                .collect::<Option<Vec<usize>>>()
        })
        .ok_or_else(|| unreadable("shape"))?;
    Ok(Array { descr, shape, data })
}

/// What follows `'key':` in a header, which is the text of a Python dictionary.
fn value_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, value) = header.split_once(&format!("'{key}':"))?;
    Some(value.trim_start())
}

/// Magic, version 1.0 and the dictionary, padded so that the data starts at a multiple of 64.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let axes = match shape {
        [only] => format!("{only},"),
        _ => shape
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
    let unpadded = MAGIC.len() + 4 + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_its_data_at_a_multiple_of_64_like_numpy() {
        for shape in [&[3][..], &[100, 100], &[]] {
            assert!(header("<f8", shape).len().is_multiple_of(64));
        }
    }

    #[test]
    fn reads_single_precision_and_counts() {
        let mut bytes = header("<f4", &[2]);
        bytes.extend([0.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
        assert_eq!(read_floats(&bytes, 1).unwrap(), [0.5, -2.0]);
        assert_eq!(read_count(&write_count(50_000)), Ok(50_000));
    }

    #[test]
    fn refuses_foreign_types_and_short_data() {
        assert_eq!(
            read_floats(&header(">f8", &[0]), 1),
            Err(NpyError::Type {
                found: ">f8".into(),
                expected: "<f8 or <f4"
            })
        );
        let bytes = write_floats(&[1.0, 2.0], &[2]);
        assert_eq!(
            read_floats(&bytes[..bytes.len() - 1], 1),
            Err(NpyError::Length {
                shape: vec![2],
                expected: 16,
                found: 15
            })
        );
        assert_eq!(read_floats(b"text", 1), Err(NpyError::NotAnArray));
    }
}
