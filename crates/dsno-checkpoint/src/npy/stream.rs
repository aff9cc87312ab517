//! One array as a stream of bytes: magic, header, elements.

use std::io::{self, Read, Write};

use super::element::{Element, from_fortran_order};
use super::{Array, ContentError, Values};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// An array, and what NumPy calls the type of its elements in the file.
#[derive(Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) array: Array,
    pub(super) descr: String,
}

/// Reads one array to the end of `source`; memory grows with the bytes that are really there.
pub(super) fn read(source: &mut impl Read) -> io::Result<Result<Stored, ContentError>> {
    let mut start = [0_u8; 8];
    if let Err(error) = source.read_exact(&mut start) {
        return too_short(error, ContentError::Magic);
    }
    let wide = match (&start[..6] == MAGIC, start[6]) {
        (true, 1) => false,
        (true, 2 | 3) => true,
        _ => return Ok(Err(ContentError::Magic)),
    };
    let mut length = [0_u8; 4];
    let header_bytes = if wide {
        &mut length[..]
    } else {
        &mut length[..2]
    };
    if let Err(error) = source.read_exact(header_bytes) {
        return too_short(error, ContentError::Header);
    }
    let mut header = Vec::new();
    let expected = u64::from(u32::from_le_bytes(length));
    if source.take(expected).read_to_end(&mut header)? as u64 != expected {
        return Ok(Err(ContentError::Header));
    }
    let Header {
        descr,
        is_fortran,
        shape,
    } = match Header::parse(&header) {
        Ok(header) => header,
        Err(problem) => return Ok(Err(problem)),
    };
    let Some(element) = Element::named(descr) else {
        return Ok(Err(ContentError::Type {
            found: descr.to_owned(),
        }));
    };
    let size = element.bytes() as u64;
    let Some(expected) = elements(&shape).and_then(|n| (n as u64).checked_mul(size)) else {
        return Ok(Err(ContentError::TooLarge { shape }));
    };
    let mut bytes = Vec::new();
    let found = source
        .take(expected.saturating_add(1))
        .read_to_end(&mut bytes)? as u64;
    if found != expected {
        return Ok(Err(ContentError::Length { found, expected }));
    }
    let stored = element.decode(bytes).map(|values| {
        let values = if is_fortran {
            from_fortran_order(values, &shape)
        } else {
            values
        };
        Stored {
            array: Array { shape, values },
            descr: descr.to_owned(),
        }
    });
    Ok(stored)
}

fn too_short(error: io::Error, problem: ContentError) -> io::Result<Result<Stored, ContentError>> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Ok(Err(problem)),
        _ => Err(error),
    }
}

pub(super) fn write(out: &mut impl Write, array: &Array) -> io::Result<()> {
    match &array.values {
        Values::F32(values) => write_f32(out, &array.shape, values),
        Values::F64(values) => {
            write_header(out, "<f8", &array.shape)?;
            values
                .iter()
                .try_for_each(|v| out.write_all(&v.to_le_bytes()))
        }
        Values::U8(values) => {
            write_header(out, "|u1", &array.shape)?;
            out.write_all(values)
        }
        Values::I64(values) => {
            write_header(out, "<i8", &array.shape)?;
            values
                .iter()
                .try_for_each(|v| out.write_all(&v.to_le_bytes()))
        }
    }
}

pub(super) fn write_f32(out: &mut impl Write, shape: &[usize], values: &[f32]) -> io::Result<()> {
    write_header(out, "<f4", shape)?;
    write_values(out, values)
}

pub(super) fn write_values(out: &mut impl Write, values: &[f32]) -> io::Result<()> {
    let mut values = values.iter();
    values.try_for_each(|v| out.write_all(&v.to_le_bytes()))
}

/// Writes magic, version 1.0 and the dictionary, padded so that the elements start at 64·n.
pub(super) fn write_header(out: &mut impl Write, descr: &str, shape: &[usize]) -> io::Result<()> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let axes = if shape.len() > 1 {
        axes.trim_end_matches(", ")
    } else {
        axes.trim_end()
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(
        ' ',
        unpadded.next_multiple_of(64) - unpadded,
    ));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(io::Error::other)?;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())
}

/// Number of elements of a shape; `None` if it overflows.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &n| product.checked_mul(n))
}

struct Header<'a> {
    descr: &'a str,
    /// The first axis is fastest.
    is_fortran: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Parses the Python dictionary; only the literals that NumPy itself writes are understood.
    fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let header = str::from_utf8(bytes).ok().ok_or(ContentError::Header)?;
        let value = |key: &str| {
            let (_, after) = header.split_once(key).ok_or(ContentError::Header)?;
            let after = after
                .trim_start()
                .strip_prefix(':')
                .ok_or(ContentError::Header)?;
            Ok(after.trim_start())
        };
        let descr = value("'descr'")?;
        let Some(descr) = descr.strip_prefix('\'').and_then(|d| d.split_once('\'')) else {
            return Err(ContentError::Type {
                found: "a structure".to_owned(),
            });
        };
        let order = value("'fortran_order'")?;
        let is_fortran = order.starts_with("True");
        if !is_fortran && !order.starts_with("False") {
            return Err(ContentError::Header);
        }
        let shape = value("'shape'")?
            .strip_prefix('(')
            .and_then(|s| s.split_once(')'));
        let (axes, _) = shape.ok_or(ContentError::Header)?;
        let axes = axes
            .split(',')
            .map(str::trim)
            .filter(|axis| !axis.is_empty())
            // Python 2 wrote long integers so.
            .map(|axis| axis.strip_suffix('L').unwrap_or(axis));
        let shape = axes.map(|axis| axis.parse().ok()).collect::<Option<_>>();
        Ok(Self {
            descr: descr.0,
            is_fortran,
            shape: shape.ok_or(ContentError::Header)?,
        })
    }
}
