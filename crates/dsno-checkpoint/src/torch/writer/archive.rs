//! A zip archive of stored files, as PyTorch's reader wants it.

use std::io::{self, Write};

/// Writes files one behind the other, then the directory.
pub(super) struct Archive<W> {
    to: W,
    written: u32,
    directory: Vec<u8>,
    files: u16,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to,
            written: 0,
            directory: Vec::new(),
            files: 0,
        }
    }

    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let length = size(content.len())?;
        let name_length = u16::try_from(name.len()).map_err(too_large)?;
        let mut fields = Vec::with_capacity(30);
        // Version 2.0, no flags, stored, midnight of 1 January 1980.
        fields.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        fields.extend(crc32(content).to_le_bytes());
        fields.extend(length.to_le_bytes());
        fields.extend(length.to_le_bytes());
        fields.extend(name_length.to_le_bytes());

        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&fields);
        // No extra field or comment, first disk, no attributes.
        self.directory.extend([0; 12]);
        self.directory.extend(self.written.to_le_bytes());
        self.directory.extend(name.as_bytes());

        // The values of a tensor begin at a multiple of 64 bytes, so that they can be mapped.
        let head = self.written as usize + 30 + name.len();
        let mut padding = (64 - head % 64) % 64;
        if padding > 0 && padding < 4 {
            padding += 64;
        }
        fields.extend(u16::try_from(padding).map_err(too_large)?.to_le_bytes());
        self.write(b"PK\x03\x04")?;
        self.write(&fields)?;
        self.write(name.as_bytes())?;
        if padding > 0 {
            let mut extra = vec![b'Z'; padding];
            extra[..2].copy_from_slice(b"FB");
            extra[2..4].copy_from_slice(&((padding - 4) as u16).to_le_bytes());
            self.write(&extra)?;
        }
        self.write(content)?;
        self.files = self.files.checked_add(1).ok_or_else(|| too_large(()))?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let (start, length) = (self.written, size(self.directory.len())?);
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        self.write(b"PK\x05\x06\x00\x00\x00\x00")?;
        self.write(&self.files.to_le_bytes())?;
        self.write(&self.files.to_le_bytes())?;
        self.write(&length.to_le_bytes())?;
        self.write(&start.to_le_bytes())?;
        self.write(&[0, 0])?;
        self.to.flush()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = size(bytes.len())?;
        self.written = self
            .written
            .checked_add(length)
            .ok_or_else(|| too_large(()))?;
        self.to.write_all(bytes)
    }
}

fn size(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(too_large)
}

fn too_large<E>(_: E) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a PyTorch file of 4 GiB or more cannot be written",
    )
}

/// The checksum of zip (IEEE 802.3, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ table[((crc ^ u32::from(*byte)) & 0xFF) as usize];
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
