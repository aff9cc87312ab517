//! Where a tensor's bytes are, and reading them.

use super::budget::{Budget, allowed_span, allowed_values};
use super::dtype::DType;
use super::parse_error::ParseError;
use super::source::Source;
use super::storage::Storage;

/// More axes than this no network has.
pub(super) const MOST_AXES: usize = 32;
/// No longer names than this.
pub(super) const LONGEST_NAME: usize = 4096;

/// A tensor of a file.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) element: DType,
    pub(super) shape: Vec<usize>,
    pub(super) storage: Storage,
    pub(super) view: View,
}

/// Which elements of a storage are a tensor's.
#[derive(Debug)]
pub(super) enum View {
    /// All of them, or those from `first` on, one after the other.
    Dense { first: u64 },
    /// DType `[i, j, …]` is at `first + i·strides[0] + j·strides[1] + …`.
    Strided { first: u64, strides: Vec<u64> },
}

impl Stored {
    /// A tensor that is all of `storage`, whose size must be that of the shape.
    pub(super) fn dense(
        name: &str,
        element: DType,
        shape: Vec<usize>,
        storage: Storage,
    ) -> Result<Self, ParseError> {
        let (found, expected) = (storage.length(), bytes(&shape, element));
        if expected != Some(found) {
            return Err(ParseError::WrongSize {
                name: name.to_owned(),
                shape,
                element,
                found,
                expected: expected.unwrap_or(u64::MAX),
            });
        }
        Ok(Self {
            element,
            shape,
            storage,
            view: View::Dense { first: 0 },
        })
    }

    /// A tensor that is a view of `storage`, all of which must be inside.
    pub(super) fn strided(
        name: &str,
        element: DType,
        shape: Vec<usize>,
        storage: Storage,
        first: u64,
        mut strides: Vec<u64>,
    ) -> Result<Self, ParseError> {
        for (stride, _) in strides.iter_mut().zip(&shape).filter(|(_, n)| **n == 1) {
            // Never taken, so it may be any number; then places could overflow.
            *stride = 0;
        }
        let span = span(&shape, &strides);
        let end = span
            .and_then(|span| span.checked_add(first)?.checked_mul(element.bytes()))
            .unwrap_or(u64::MAX);
        if span != Some(0) && end > storage.length() {
            return Err(ParseError::Outside {
                name: name.to_owned(),
                end,
                length: storage.length(),
            });
        }
        let view = if is_dense(&shape, &strides) {
            View::Dense { first }
        } else {
            View::Strided { first, strides }
        };
        Ok(Self {
            element,
            shape,
            storage,
            view,
        })
    }

    /// Pays for what an index keeps of a tensor.
    pub(super) fn spend(name: &str, axes: usize, budget: &mut Budget) -> Result<(), ParseError> {
        // An entry of the map, two vectors, two names; half of the map's places are free.
        let kept = 4 * size_of::<Self>() + 2 * name.len() + 16 * axes + 128;
        budget.spend(kept as u64)
    }

    pub(super) fn read(&self, source: &Source) -> Result<Vec<f32>, ParseError> {
        let allowed = allowed_values(source.length());
        let needed = bytes(&self.shape, DType::F32).unwrap_or(u64::MAX);
        if needed > allowed {
            return Err(ParseError::TooLarge {
                bytes: needed,
                allowed,
            });
        }
        let count = needed / DType::F32.bytes();
        let mut values = Vec::with_capacity(count as usize);
        if count == 0 {
            return Ok(values);
        }
        let each = self.element.bytes();
        match &self.view {
            View::Dense { first } => {
                let take = |bytes: &[u8]| self.element.decode(bytes, &mut values);
                self.storage
                    .read(source, first * each, count * each, take)?;
            }
            View::Strided { first, strides } => {
                let span = span(&self.shape, strides).unwrap_or(0) * each;
                let allowed = allowed_span(source.length());
                if span > allowed {
                    return Err(ParseError::TooLarge {
                        bytes: span,
                        allowed,
                    });
                }
                let mut bytes = Vec::with_capacity(span as usize);
                let take = |some: &[u8]| bytes.extend_from_slice(some);
                self.storage.read(source, first * each, span, take)?;
                gather(&self.shape, strides, |place| {
                    let begin = (place * each) as usize;
                    let element = &bytes[begin..begin + each as usize];
                    self.element.decode(element, &mut values);
                });
            }
        }
        Ok(values)
    }
}

/// Visits the places of all elements, last axis fastest; no axis may be empty.
fn gather(shape: &[usize], strides: &[u64], mut visit: impl FnMut(u64)) {
    let mut index = vec![0; shape.len()];
    let mut place = 0;
    loop {
        visit(place);
        let mut axis = shape.len();
        loop {
            let Some(before) = axis.checked_sub(1) else {
                return;
            };
            axis = before;
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis] as u64;
            index[axis] = 0;
        }
    }
}

/// Bytes of all elements, if that is a number.
fn bytes(shape: &[usize], element: DType) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut lengths = shape.iter().map(|length| *length as u64);
    lengths.try_fold(element.bytes(), u64::checked_mul)
}

/// Elements from the first to the last, both included, if that is a number.
fn span(shape: &[usize], strides: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut axes = shape.iter().zip(strides);
    axes.try_fold(1_u64, |sum, (length, stride)| {
        sum.checked_add(stride.checked_mul(*length as u64 - 1)?)
    })
}

/// Whether elements follow one another, last axis fastest.
fn is_dense(shape: &[usize], strides: &[u64]) -> bool {
    let mut expected = 1_u64;
    shape.iter().zip(strides).rev().all(|(length, stride)| {
        let fits = *length == 1 || *stride == expected;
        expected = expected.saturating_mul(*length as u64);
        fits
    }) || shape.contains(&0)
}
