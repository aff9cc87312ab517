//! Element types of arrays, and what their bytes mean.

use half::f16;

use super::{ContentError, Values};

/// What the elements of an array are, as NumPy's `descr` says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    kind: Kind,
    is_big_endian: bool,
}

/// A type; the number is that of its bytes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    F2,
    F4,
    F8,
    Bool,
    U1,
    U2,
    U4,
    U8,
    I1,
    I2,
    I4,
    I8,
}

impl Element {
    /// The type that NumPy calls so: an order of bytes (`<`, `>`, or `|` where there is none) and a kind.
    pub(super) fn named(descr: &str) -> Option<Self> {
        let (order, kind) = descr.split_at_checked(1)?;
        let kind = match kind {
            "f2" => Kind::F2,
            "f4" => Kind::F4,
            "f8" => Kind::F8,
            "b1" => Kind::Bool,
            "u1" => Kind::U1,
            "u2" => Kind::U2,
            "u4" => Kind::U4,
            "u8" => Kind::U8,
            "i1" => Kind::I1,
            "i2" => Kind::I2,
            "i4" => Kind::I4,
            "i8" => Kind::I8,
            _ => return None,
        };
        let element = |is_big_endian| Self {
            kind,
            is_big_endian,
        };
        match order {
            "<" | "=" => Some(element(false)),
            ">" => Some(element(true)),
            "|" if element(false).bytes() == 1 => Some(element(false)),
            _ => None,
        }
    }

    /// Bytes of one element.
    pub(super) fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::U1 | Kind::I1 => 1,
            Kind::F2 | Kind::U2 | Kind::I2 => 2,
            Kind::F4 | Kind::U4 | Kind::I4 => 4,
            Kind::F8 | Kind::U8 | Kind::I8 => 8,
        }
    }

    /// The values of whole elements, none of which changes.
    pub(super) fn decode(self, mut bytes: Vec<u8>) -> Result<Values, ContentError> {
        if self.is_big_endian {
            bytes
                .chunks_exact_mut(self.bytes())
                .for_each(<[u8]>::reverse);
        }
        Ok(match self.kind {
            Kind::F2 => Values::F32(each(&bytes, |b| f16::from_le_bytes(b).to_f32())),
            Kind::F4 => Values::F32(each(&bytes, f32::from_le_bytes)),
            Kind::F8 => Values::F64(each(&bytes, f64::from_le_bytes)),
            Kind::Bool | Kind::U1 => Values::U8(bytes),
            Kind::U2 => Values::I64(each(&bytes, |b| u16::from_le_bytes(b).into())),
            Kind::U4 => Values::I64(each(&bytes, |b| u32::from_le_bytes(b).into())),
            Kind::U8 => {
                let values = each(&bytes, u64::from_le_bytes);
                let signed = |value: u64| i64::try_from(value).ok().ok_or(too_large(value));
                Values::I64(values.into_iter().map(signed).collect::<Result<_, _>>()?)
            }
            Kind::I1 => Values::I64(each(&bytes, |b| i8::from_le_bytes(b).into())),
            Kind::I2 => Values::I64(each(&bytes, |b| i16::from_le_bytes(b).into())),
            Kind::I4 => Values::I64(each(&bytes, |b| i32::from_le_bytes(b).into())),
            Kind::I8 => Values::I64(each(&bytes, i64::from_le_bytes)),
        })
    }
}

fn too_large(value: u64) -> ContentError {
    ContentError::Range {
        value: i128::from(value),
        expected: "<i8",
    }
}

fn each<T, const N: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| element(chunk)).collect()
}

/// Puts elements that lie with the first axis fastest into C order, the last axis fastest.
pub(super) fn from_fortran_order(values: Values, shape: &[usize]) -> Values {
    match values {
        Values::F32(v) => Values::F32(reordered(v, shape)),
        Values::F64(v) => Values::F64(reordered(v, shape)),
        Values::U8(v) => Values::U8(reordered(v, shape)),
        Values::I64(v) => Values::I64(reordered(v, shape)),
    }
}

fn reordered<T: Copy>(values: Vec<T>, shape: &[usize]) -> Vec<T> {
    let long = shape.iter().filter(|&&n| n != 1).count();
    if values.is_empty() || long < 2 {
        return values;
    }
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for length in shape {
        strides.push(stride);
        stride *= length;
    }
    let (mut index, mut place) = (vec![0; shape.len()], 0);
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[place]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}
