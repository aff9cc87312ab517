//! The formats of weight files, and telling them from a file's first bytes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How a file holds its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckpointFormat {
    /// A header of JSON, then the bytes.
    Safetensors,
    /// What `torch.save` writes: a zip archive (since PyTorch 1.6) or a stream of pickles (before).
    Torch,
    /// What `flax.serialization.to_bytes` writes: MessagePack.
    Flax,
}

impl CheckpointFormat {
    /// The format of a file by its first bytes; `None` if they are not those of safetensors or PyTorch.
    ///
    /// MessagePack has no such beginning.
    pub fn of_file(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut start = [0; 9];
        file.read_exact(&mut start).ok()?;
        match start {
            // Behind the length of its header comes the header, an object.
            [a, b, c, d, e, f, g, h, b'{']
                if u64::from_le_bytes([a, b, c, d, e, f, g, h]) < length =>
            {
                Some(Self::Safetensors)
            }
            [b'P', b'K', ..] | [0x80, ..] => Some(Self::Torch),
            _ => None,
        }
    }
}

impl fmt::Display for CheckpointFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "PyTorch",
            Self::Flax => "Flax",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostTensor, StateDict, to_safetensors};

    #[test]
    fn headers_of_any_length_are_those_of_safetensors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in 1..100 {
            let tensor = HostTensor {
                shape: vec![1],
                values: vec![0.5],
            };
            let weights = StateDict::from([("n".repeat(length), tensor)]);
            std::fs::write(&path, to_safetensors(&weights)).unwrap();
            let found = CheckpointFormat::of_file(&path);
            assert_eq!(found, Some(CheckpointFormat::Safetensors), "{length}");
        }
        // Text that has a brace in that place.
        std::fs::write(&path, "{ \"ab\": {\"c\": 1}}").unwrap();
        assert_eq!(CheckpointFormat::of_file(&path), None);
    }
}
