//! Why a checkpoint cannot be read.

use std::io;
use std::path::PathBuf;

use super::CheckpointFormat;
use super::dtype::DType;
use super::file_kind::FileKind;
use super::parse_error::ParseError;

/// Why a checkpoint, or a tensor of it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system does not let the file be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not of its format, is damaged, or claims what it does not hold.
    #[error("not a valid {format} file: {source}: {}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it was to have.
        format: CheckpointFormat,
        /// What is wrong.
        source: ParseError,
    },
    /// The file is another kind of file, often found in the place of weights.
    #[error("{} is {found}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: FileKind,
    },
    /// The index of weights in several files is damaged, or they do not hold what it says.
    #[error("not a valid index of weight files: {reason}: {}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One tensor is damaged or larger than its file warrants.
    #[error("cannot read tensor `{name}`: {source}: {}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
        /// What is wrong.
        source: ParseError,
    },
    /// A tensor was asked for that the file does not have.
    #[error("no tensor `{name}` in {}", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
    },
    /// A tensor does not hold real numbers.
    #[error("tensor `{name}` holds {found:?}, expected F32, F16, Bf16 or F64: {}", path.display())]
    NotReal {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
        /// What it holds.
        found: DType,
    },
}
