//! Everything that can be wrong inside a checkpoint.

use std::fmt::{self, Display, Write};
use std::io;

use super::dtype::DType;

/// What is wrong inside a checkpoint; the error around it names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The system stopped in the middle of the file.
    #[error("{0}")]
    Read(#[source] io::Error),
    /// The file ends inside a value.
    #[error("it ends inside the value at byte {at}")]
    Truncated {
        /// Where the value begins.
        at: u64,
    },
    /// Bytes follow where the file should end.
    #[error("{found} bytes follow its end at byte {at}")]
    Trailing {
        /// Where it should end.
        at: u64,
        /// How many bytes follow.
        found: u64,
    },
    /// The index would take more memory than a file of this size warrants.
    #[error("an index of its tensors would take more than {allowed} bytes, the limit for its size")]
    IndexTooLarge {
        /// The limit.
        allowed: u64,
    },
    /// The values would take more memory than a file of this size warrants.
    #[error("{bytes} bytes are needed, a file of its size may take {allowed}")]
    TooLarge {
        /// What is needed.
        bytes: u64,
        /// The limit.
        allowed: u64,
    },
    /// Containers in containers, deeper than any checkpoint needs.
    #[error("values are nested more than {allowed} deep")]
    TooDeep {
        /// The limit.
        allowed: usize,
    },
    /// A name that no program would give.
    #[error("a name is longer than {allowed} bytes")]
    NameTooLong {
        /// The limit.
        allowed: usize,
    },
    /// Two tensors have the same name.
    #[error("tensor `{name}` occurs twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A type of elements that is not known.
    #[error("tensor `{name}` has elements of unknown type `{found}`")]
    UnknownElement {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// More axes than any network needs.
    #[error("a tensor has more than {allowed} axes")]
    TooManyAxes {
        /// The limit.
        allowed: usize,
    },
    /// The number of bytes is not that of the shape.
    #[error("tensor `{name}` has {found} bytes, {shape:?} of {element:?} needs {expected}")]
    WrongSize {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its elements.
        element: DType,
        /// Bytes it has.
        found: u64,
        /// Bytes it needs; the largest number where it needs more than that.
        expected: u64,
    },
    /// Bytes that a tensor needs lie beyond those there are.
    #[error("tensor `{name}` ends at byte {end} of {length}")]
    Outside {
        /// The tensor.
        name: String,
        /// Where it ends; the largest number where it ends beyond that.
        end: u64,
        /// How many bytes there are.
        length: u64,
    },
    /// The checksum of stored bytes differs.
    #[error("the checksum is {found:08x}, expected {expected:08x}")]
    Checksum {
        /// Of the bytes.
        found: u32,
        /// As written.
        expected: u32,
    },
    /// Text that is not UTF-8.
    #[error("the text at byte {at} is not UTF-8")]
    NotText {
        /// Where it is.
        at: u64,
    },

    /// The header of a safetensors file is longer than the file or than the format allows.
    #[error("it claims a header of {claimed} bytes, at most {allowed} are possible")]
    HeaderTooLong {
        /// Bytes claimed.
        claimed: u64,
        /// Bytes possible.
        allowed: u64,
    },
    /// The header of a safetensors file is not the JSON it should be.
    #[error("its header is wrong: {}", Brief(.0))]
    Header(#[source] serde_json::Error),
    /// The tensors of a safetensors file overlap or leave a gap.
    #[error("tensor `{name}` begins at byte {found} of the data, expected {expected}")]
    Misplaced {
        /// The tensor.
        name: String,
        /// Where it begins.
        found: u64,
        /// Where the one before it ends.
        expected: u64,
    },

    /// Neither a zip archive nor a stream of pickles.
    #[error("it begins with {found:02x?}, expected a zip archive or PyTorch's stream of pickles")]
    NotTorch {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A structure of the zip archive is missing or contradicts another.
    #[error("the zip archive has no valid {expected} at byte {at}")]
    Zip {
        /// What should be there.
        expected: &'static str,
        /// Where.
        at: u64,
    },
    /// An entry of the archive is neither stored nor deflated, or is encrypted.
    #[error("zip entry `{entry}` is stored by method {method}, expected 0 or 8 and no encryption")]
    ZipMethod {
        /// The entry.
        entry: String,
        /// Its method.
        method: u16,
    },
    /// An entry that every PyTorch archive has is missing.
    #[error("the zip archive has no entry `{entry}`")]
    NoEntry {
        /// The entry.
        entry: String,
    },
    /// Deflated bytes are damaged.
    #[error("deflated bytes are damaged at byte {at}")]
    Inflate {
        /// Where, in inflated bytes.
        at: u64,
    },
    /// Numbers are stored most significant byte first.
    #[error("its numbers are big-endian, expected little-endian")]
    BigEndian,
    /// An instruction that no `torch.save` writes.
    #[error("unknown pickle instruction {code:#04x} at byte {at}")]
    PickleCode {
        /// The instruction.
        code: u8,
        /// Where.
        at: u64,
    },
    /// An instruction finds something else than what it works on.
    #[error("pickle instruction {code:#04x} at byte {at} lacks {expected}")]
    PickleOperand {
        /// The instruction.
        code: u8,
        /// Where.
        at: u64,
        /// What it works on.
        expected: &'static str,
    },
    /// A value that is looked up was never put there.
    #[error("pickle instruction at byte {at} asks for value {index}, which was never stored")]
    PickleMemo {
        /// Where.
        at: u64,
        /// The value's number.
        index: u32,
    },
    /// A tensor or a storage is described in an unknown way.
    #[error("the {what} before byte {at} is not described as PyTorch describes it")]
    Description {
        /// Tensor or storage.
        what: &'static str,
        /// Where its description ends.
        at: u64,
    },
    /// A storage is not in the file.
    #[error("storage `{key}` is not in the file")]
    NoStorage {
        /// Its name.
        key: String,
    },
    /// A storage has another size than the pickle says.
    #[error("storage `{key}` has {found} bytes, expected {expected}")]
    StorageSize {
        /// Its name.
        key: String,
        /// Bytes it has.
        found: u64,
        /// Bytes it should have; the largest number where that overflows.
        expected: u64,
    },
    /// A tensor lies below a key that cannot be part of a name.
    #[error("a tensor below `{below}` has a key that is neither text nor a whole number")]
    Nameless {
        /// The path to it.
        below: String,
    },

    /// A MessagePack value is of another kind than Flax writes there.
    #[error("the MessagePack value at byte {at} is not {expected}")]
    MessagePack {
        /// Where.
        at: u64,
        /// What should be there.
        expected: &'static str,
    },
    /// An array in pieces lacks one.
    #[error("array `{name}` has piece `{found}` in place {expected}")]
    Piece {
        /// The array.
        name: String,
        /// The piece.
        found: String,
        /// Its place.
        expected: usize,
    },
}

/// The beginning of a text that may quote any part of a file.
struct Brief<T>(T);

impl<T: Display> Display for Brief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut beginning = Beginning { f, left: 200 };
        match write!(beginning, "{}", self.0) {
            Err(_) if beginning.left == 0 => f.write_str("…"),
            written => written,
        }
    }
}

/// Writes so many characters and then fails.
struct Beginning<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Beginning<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.f.write_char(c)?;
        }
        Ok(())
    }
}
