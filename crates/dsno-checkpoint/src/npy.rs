//! NumPy's `.npy` and `.npz`: exact exchange of arrays with other programs.
//!
//! Read are real numbers (`f2`, `f4`, `f8`), whole ones (`i1` to `i8`, `u1` to `u8`) and booleans, of
//! either order of bytes and of axes; they become one of the four kinds of [`Values`] in C order, without
//! a change of any value. Where one would change, and for other types, there is an error that names what
//! was found. Written are `<f4`, `<f8`, `|u1` and `<i8` in C order, atomically.
//! The format is that of `numpy.lib.format`, versions 1.0 to 3.0 read, 1.0 written.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::FileKind;
use crate::atomic::{self, WriteError};

mod archive;
mod element;
mod stream;
mod writer;

pub use archive::{read_npz, read_npz_where, write_npz};
pub use writer::F32Writer;

/// An array in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Elements, the last axis fastest.
    pub values: Values,
}

/// The elements of an [`Array`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Reals of 32 bits or fewer, `<f4`: images, noise, trajectories.
    F32(Vec<f32>),
    /// 64-bit reals, `<f8`: statistics and times.
    F64(Vec<f64>),
    /// Bytes and booleans, `|u1`: pictures.
    U8(Vec<u8>),
    /// Other integers, `<i8`: labels.
    I64(Vec<i64>),
}

impl Values {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::U8(v) => v.len(),
            Self::I64(v) => v.len(),
        }
    }

    /// True if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// NumPy's name of the element type.
    pub fn descr(&self) -> &'static str {
        match self {
            Self::F32(_) => "<f4",
            Self::F64(_) => "<f8",
            Self::U8(_) => "|u1",
            Self::I64(_) => "<i8",
        }
    }
}

/// Why an array file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file cannot be opened or ends too early.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// The bytes are not an array that this crate reads.
    #[error("{name} in {} is no array this program reads: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Name of the array within an archive, `array` in an `.npy` file.
        name: String,
        /// What was found and what was expected.
        problem: ContentError,
    },
    /// The file is not a readable archive.
    #[error("cannot read the archive {}: {source}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: zip::result::ZipError,
    },
    /// An archive lacks an array.
    #[error("no array `{name}` in {}", path.display())]
    NoArray {
        /// The archive.
        path: PathBuf,
        /// Name that was looked for.
        name: String,
    },
    /// Shape and number of elements disagree; nothing was written.
    #[error("shape {shape:?} does not describe {found} elements, for {}", path.display())]
    Shape {
        /// The file that was to be written.
        path: PathBuf,
        /// The shape.
        shape: Vec<usize>,
        /// Number of elements given.
        found: usize,
    },
    /// The file could not be put in place.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What is wrong with the bytes of an array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The first bytes are not those of an `.npy` file.
    #[error("it does not start with \\x93NUMPY and a known version")]
    Magic,
    /// The header is not the dictionary that NumPy writes.
    #[error("its header is malformed")]
    Header,
    /// The file is of another kind, often found in the place of arrays.
    #[error("it is {found}")]
    Other {
        /// What it is.
        found: FileKind,
    },
    /// An element type that is no number.
    #[error("its elements are {found}, expected f2, f4, f8, b1, or integers of 1 to 8 bytes")]
    Type {
        /// NumPy's name of the type.
        found: String,
    },
    /// A known element type, but not the one asked for.
    #[error("its elements are {found}, expected {expected}; convert it with .astype('{expected}')")]
    OtherType {
        /// NumPy's name of the type that the file has.
        found: String,
        /// NumPy's name of the type that was asked for.
        expected: &'static str,
    },
    /// A whole number that the type asked for cannot hold.
    #[error("it holds {value}, which {expected} cannot hold")]
    Range {
        /// The number.
        value: i128,
        /// NumPy's name of the type that was asked for.
        expected: &'static str,
    },
    /// The shape describes more elements than any file holds.
    #[error("its shape {shape:?} overflows")]
    TooLarge {
        /// The shape.
        shape: Vec<usize>,
    },
    /// Data and header disagree.
    #[error("it holds {found} bytes, its header promises {expected}")]
    Length {
        /// Bytes found; when there are too many, one more than expected.
        found: u64,
        /// Bytes that the shape needs.
        expected: u64,
    },
}

/// Reads an `.npy` file.
///
/// # Errors
///
/// * [`NpyError::Read`] if the file cannot be read.
/// * [`NpyError::Content`] if it is not an array of numbers, complete and no longer.
pub fn read(path: impl AsRef<Path>) -> Result<Array, NpyError> {
    Ok(stored(path.as_ref())?.array)
}

fn stored(path: &Path) -> Result<stream::Stored, NpyError> {
    let at = |source| NpyError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut file = BufReader::new(File::open(path).map_err(at)?);
    let read = stream::read(&mut file).map_err(at)?;
    read.map_err(|problem| {
        let other = match problem {
            ContentError::Magic => FileKind::of_file(path),
            _ => None,
        };
        let problem = other.map_or(problem, |found| ContentError::Other { found });
        content(path, "array", problem)
    })
}

/// Reads an `.npy` file of reals and returns its shape and elements.
///
/// Those of 16 bits are exact in 32; those of 64 bits are refused, since most would be rounded, and so
/// are integers.
///
/// # Errors
///
/// As [`read`]; another element type is [`ContentError::OtherType`].
///
/// # Examples
///
/// ```
/// use dsno_checkpoint::npy;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("noise.npy");
/// npy::write_f32(&path, &[2, 1], &[0.5, -0.5])?;
/// assert_eq!(npy::read_f32(&path)?, (vec![2, 1], vec![0.5, -0.5]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_f32(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<f32>), NpyError> {
    let path = path.as_ref();
    let stream::Stored { array, descr } = stored(path)?;
    match array.values {
        Values::F32(values) => Ok((array.shape, values)),
        _ => Err(other_type(path, descr, "<f4")),
    }
}

/// Reads an `.npy` file of reals, such as features and statistics, and returns its shape and elements.
///
/// Reals of 16 and 32 bits and integers are exact in 64 bits.
///
/// # Errors
///
/// As [`read`]; an integer beyond ±2⁵³ is [`ContentError::Range`].
///
/// # Examples
///
/// ```
/// use dsno_checkpoint::npy;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("features.npy");
/// npy::write_f32(&path, &[2, 1], &[0.5, -0.5])?;
/// assert_eq!(npy::read_f64(&path)?, (vec![2, 1], vec![0.5, -0.5]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_f64(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<f64>), NpyError> {
    let path = path.as_ref();
    let Array { shape, values } = read(path)?;
    let exact = |value: i64| match value.unsigned_abs() {
        0..=MOST_EXACT => Ok(value as f64),
        _ => Err(content(
            path,
            "array",
            ContentError::Range {
                value: value.into(),
                expected: "<f8",
            },
        )),
    };
    let values = match values {
        Values::F32(values) => values.into_iter().map(f64::from).collect(),
        Values::F64(values) => values,
        Values::U8(values) => values.into_iter().map(f64::from).collect(),
        Values::I64(values) => values.into_iter().map(exact).collect::<Result<_, _>>()?,
    };
    Ok((shape, values))
}

/// Up to here every whole number is an `f64`.
const MOST_EXACT: u64 = 1 << 53;

/// Reads an `.npy` file of integers or booleans, such as labels, and returns its shape and elements.
///
/// # Errors
///
/// As [`read`]; reals are [`ContentError::OtherType`], an integer above 2⁶³ − 1 is
/// [`ContentError::Range`].
pub fn read_i64(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<i64>), NpyError> {
    let path = path.as_ref();
    let stream::Stored { array, descr } = stored(path)?;
    match array.values {
        Values::I64(values) => Ok((array.shape, values)),
        Values::U8(values) => Ok((array.shape, values.into_iter().map(i64::from).collect())),
        Values::F32(_) | Values::F64(_) => Err(other_type(path, descr, "<i8")),
    }
}

/// Writes an `.npy` file atomically.
///
/// # Errors
///
/// * [`NpyError::Shape`] if the shape does not describe the elements.
/// * [`NpyError::Write`] if the file could not be put in place.
pub fn write(path: impl AsRef<Path>, array: &Array) -> Result<(), NpyError> {
    let path = path.as_ref();
    check_shape(path, &array.shape, array.values.len())?;
    Ok(atomic::write_atomic_with(path, |file| {
        stream::write(file, array)
    })?)
}

/// Writes 32-bit reals as an `.npy` file, atomically.
///
/// # Errors
///
/// As [`write()`].
pub fn write_f32(path: impl AsRef<Path>, shape: &[usize], values: &[f32]) -> Result<(), NpyError> {
    let path = path.as_ref();
    check_shape(path, shape, values.len())?;
    Ok(atomic::write_atomic_with(path, |file| {
        stream::write_f32(file, shape, values)
    })?)
}

fn check_shape(path: &Path, shape: &[usize], found: usize) -> Result<(), NpyError> {
    if stream::elements(shape) == Some(found) {
        return Ok(());
    }
    Err(NpyError::Shape {
        path: path.to_path_buf(),
        shape: shape.to_vec(),
        found,
    })
}

fn content(path: &Path, name: &str, problem: ContentError) -> NpyError {
    NpyError::Content {
        path: path.to_path_buf(),
        name: name.to_owned(),
        problem,
    }
}

fn other_type(path: &Path, found: String, expected: &'static str) -> NpyError {
    content(path, "array", ContentError::OtherType { found, expected })
}

#[cfg(test)]
mod tests;
