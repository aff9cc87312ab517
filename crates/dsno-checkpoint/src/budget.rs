//! How much memory a file may ask for.

use super::parse_error::ParseError;

/// Memory left to the index of one file; everything built from its bytes is paid for first.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: u64,
    left: u64,
}

impl Budget {
    pub(super) fn of_file(length: u64) -> Self {
        // A PyTorch tensor costs about 3.5 KiB, most of it the pickle's values, and has some 200 bytes
        // of file beside its own. So files of fewer than 4000 tensors pass, however small these
        // are, and files of any number of tensors of 200 elements.
        let allowed = length.saturating_mul(4).saturating_add(16 << 20);
        Self {
            allowed,
            left: allowed,
        }
    }

    /// The whole of it, spent or not.
    pub(super) fn allowed(&self) -> u64 {
        self.allowed
    }

    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), ParseError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(ParseError::IndexTooLarge {
            allowed: self.allowed,
        })?;
        Ok(())
    }

    /// Pays for `count` values of a vector that grows: twice its length, and the old one beside it.
    pub(super) fn spend_values<T>(&mut self, count: usize) -> Result<(), ParseError> {
        self.spend((count as u64).saturating_mul(3 * size_of::<T>() as u64))
    }
}

/// The most bytes that the f32 values of one tensor may take.
pub(super) fn allowed_values(length: u64) -> u64 {
    length.saturating_mul(2).saturating_add(1 << 20)
}

/// The most bytes that the stored elements of a strided tensor may take beside its values.
pub(super) fn allowed_span(length: u64) -> u64 {
    length.saturating_add(1 << 20)
}
