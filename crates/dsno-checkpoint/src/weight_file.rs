//! The weight file of a model folder, written one tensor at a time.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::digest::to_hex;
use crate::{Checkpoint, HostTensor, StateDict};

/// A weight of a network and the tensor of a file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMapping {
    /// The name that it is written under.
    pub name: String,
    /// The shape that it is written with; the same values in the same order.
    pub shape: Vec<usize>,
    /// Its name in the file that is read.
    pub stored: String,
}

/// Weights on their way into a safetensors file.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// They are in memory.
    Named(&'a StateDict),
    /// Tensors of a file, with the names and shapes to write them under; they pass through memory one
    /// at a time.
    Placed(&'a Checkpoint, &'a [KeyMapping]),
}

impl<'a> Weights<'a> {
    /// Names and shapes, in alphabetical order, which is that of the file.
    fn shapes(&self) -> Vec<(&'a str, &'a [usize])> {
        match self {
            Self::Named(weights) => weights
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
                .collect(),
            Self::Placed(_, weights) => {
                let shape = |w: &'a KeyMapping| (w.name.as_str(), w.shape.as_slice());
                let mut shapes: Vec<_> = weights.iter().map(shape).collect();
                shapes.sort_unstable();
                shapes
            }
        }
    }

    fn tensor(&self, name: &str) -> io::Result<Cow<'_, HostTensor>> {
        match self {
            Self::Named(weights) => Ok(Cow::Borrowed(&weights[name])),
            Self::Placed(file, weights) => {
                let stored = weights.iter().find(|weight| weight.name == name);
                let stored = stored.map_or(name, |weight| &weight.stored);
                file.read(stored).map(Cow::Owned).map_err(io::Error::other)
            }
        }
    }

    /// Writes them as safetensors in f32: the bytes of `to_safetensors`.
    ///
    /// # Errors
    ///
    /// Those of `to`, and of reading a file.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut end = 0;
        let entry = |(name, shape)| {
            let begin = end;
            end += 4 * <[usize]>::iter(shape).product::<usize>();
            let data_offsets = [begin, end];
            let dtype = "F32";
            (
                name,
                Entry {
                    dtype,
                    shape,
                    data_offsets,
                },
            )
        };
        let entries: Vec<(&str, Entry<'_>)> = self.shapes().into_iter().map(entry).collect();
        let mut header = serde_json::to_vec(&Header(&entries))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(&header)?;
        let mut bytes = Vec::new();
        for (name, _) in entries {
            // A tensor may be most of the model, so its bytes are made in blocks.
            for block in self.tensor(name)?.values.chunks(1 << 14) {
                bytes.clear();
                bytes.extend(block.iter().flat_map(|value| value.to_le_bytes()));
                to.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// SHA-256 of the file that [`Self::write`] would write.
    ///
    /// # Errors
    ///
    /// Those of reading a file.
    pub fn sha256(&self) -> io::Result<String> {
        let mut digest = Hashing::new(io::sink());
        self.write(&mut digest)?;
        Ok(digest.finish())
    }
}

struct Header<'a>(&'a [(&'a str, Entry<'a>)]);

#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, entry)| (name, entry)))
    }
}

/// Digests what passes through it.
#[derive(Debug)]
pub struct Hashing<W> {
    to: W,
    digest: Sha256,
}

impl<W: Write> Hashing<W> {
    /// Passes what is written on to `to`.
    pub fn new(to: W) -> Self {
        let digest = Sha256::new();
        Self { to, digest }
    }

    /// The SHA-256 of all of it, as lower-case hexadecimal.
    pub fn finish(self) -> String {
        to_hex(&self.digest.finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_bytes;
    use crate::{CheckpointFormat, to_safetensors};

    #[test]
    fn writes_the_bytes_of_the_library_from_memory_and_from_a_file() {
        let tensor = |shape: &[usize]| HostTensor {
            shape: shape.to_vec(),
            values: (0..shape.iter().product())
                .map(|k: usize| k as f32 - 0.5)
                .collect(),
        };
        let weights = StateDict::from([
            ("layers.10.weight".to_owned(), tensor(&[2, 3])),
            ("layers.9.weight".to_owned(), tensor(&[40_000])),
            ("a \"name\"".to_owned(), tensor(&[])),
            ("empty".to_owned(), tensor(&[0, 4])),
        ]);
        let expected = to_safetensors(&weights);
        let mut named = Vec::new();
        Weights::Named(&weights).write(&mut named).unwrap();
        assert_eq!(named, expected);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, &expected).unwrap();
        let file = Checkpoint::open(&path, CheckpointFormat::Safetensors).unwrap();
        let as_it_is = |(name, tensor): (&String, &HostTensor)| KeyMapping {
            name: name.clone(),
            shape: tensor.shape.clone(),
            stored: name.clone(),
        };
        let places: Vec<KeyMapping> = weights.iter().map(as_it_is).collect();
        let mut stored = Vec::new();
        Weights::Placed(&file, &places).write(&mut stored).unwrap();
        assert_eq!(stored, expected);
        let digest = Weights::Placed(&file, &places).sha256().unwrap();
        assert_eq!(digest, sha256_bytes(&expected));

        let place = |(name, tensor): (&String, &HostTensor)| KeyMapping {
            name: format!("z{}", name.len()),
            shape: [tensor.shape.as_slice(), &[1]].concat(),
            stored: name.clone(),
        };
        let places: Vec<KeyMapping> = weights.iter().map(place).collect();
        let renamed: StateDict = places
            .iter()
            .map(|place| {
                let values = weights[&place.stored].values.clone();
                let shape = place.shape.clone();
                (place.name.clone(), HostTensor { shape, values })
            })
            .collect();
        let mut placed = Vec::new();
        Weights::Placed(&file, &places).write(&mut placed).unwrap();
        assert_eq!(placed, to_safetensors(&renamed));
    }
}
