//! Weights that others trained: safetensors, PyTorch and Flax files behind one reader.
//!
//! A [`Checkpoint`] is an index of the tensors of one file: names, shapes, element types and where
//! the bytes are. Values are read one tensor at a time and become f32, so that a file of any size
//! passes through the memory of its largest tensor.
//!
//! | format                                  | names of nested values                       |
//! |-----------------------------------------|----------------------------------------------|
//! | [`CheckpointFormat::Safetensors`]       | as stored                                    |
//! | [`CheckpointFormat::Torch`]             | joined by `.`: `model.conv_in.weight`        |
//! | [`CheckpointFormat::Flax`]              | joined by `/`: `ema_params/Conv_0/kernel`    |
//!
//! Which of these names a network needs, and which may be left alone, is not decided here.
//!
//! # Files from strangers
//!
//! Nothing in a file is run: a pickle is interpreted as data, by a machine that knows how PyTorch
//! writes tensors and takes every other object apart without calling it. Whatever a file claims,
//!
//! ```text
//! memory ≤ 18 MiB + 7 × file     index ≤ 16 MiB + 4 × file
//!                                values of one tensor ≤ 1 MiB + 2 × file
//!                                its bytes, where they are strided, ≤ 1 MiB + file
//! ```
//!
//! (and 256 KiB of buffers), and nesting is limited; a file that needs more is refused with an error.
//! `examples/fuzz_checkpoints` holds the readers to this. A weight file needs far less: its index is
//! small, and reading it tensor by tensor takes the largest tensor and 64 KiB.
//!
//! # Why the readers are written here
//!
//! `pytorch-reader` 0.22 (the reader of `burn-store`) reads the same PyTorch files lazily and
//! carefully, but bounds memory by constants (a pickle of 100 MiB, which a zip of 100 kB can hold
//! and which takes about 80 bytes for each of its own; a tensor of 10 GiB), refuses a whole file
//! for one object that holds tensors, and brings `tar` and a second inflate library. `zip` keeps
//! a few hundred bytes for an entry of 47. `safetensors` wants the whole file in memory and lets the
//! last of two equal names win. There is no Flax reader; `rmp` decodes its MessagePack.

pub mod atomic;
mod budget;
pub mod digest;
mod dtype;
mod error;
mod file_kind;
mod flax;
mod format;
mod input;
mod mismatch;
pub mod npy;
mod parse_error;
pub mod python_json;
mod safetensors_index;
mod shards;
mod source;
mod state_dict;
mod storage;
mod stored;
mod torch;
mod weight_file;
mod wrapped;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

pub use dtype::DType;
pub use error::CheckpointError;
pub use file_kind::FileKind;
pub use format::CheckpointFormat;
pub use parse_error::ParseError;
pub use shards::ShardIndex;
pub use state_dict::{HostTensor, StateDict, WeightError, read_safetensors, to_safetensors};
pub use torch::to_torch;
pub use weight_file::{Hashing, KeyMapping, Weights};

use budget::Budget;
use source::Source;
use stored::Stored;

/// Tensors by name, as an index finds them.
type Index = BTreeMap<String, Stored>;

/// The tensors of one file, or of several that belong together, read one at a time.
///
/// ```
/// use dsno_checkpoint::{Checkpoint, CheckpointFormat};
/// use dsno_checkpoint::{HostTensor, StateDict, to_safetensors};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("weights.safetensors");
/// let bias = HostTensor { shape: vec![2], values: vec![0.5, -1.0] };
/// let weights = StateDict::from([("ema.bias".to_owned(), bias.clone())]);
/// std::fs::write(&path, to_safetensors(&weights))?;
///
/// let checkpoint = Checkpoint::open(&path, CheckpointFormat::Safetensors)?.sub_dict("ema.");
/// assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["bias"]);
/// assert_eq!(checkpoint.shape("bias"), Some(&[2][..]));
/// assert_eq!(checkpoint.read("bias")?, bias);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: Arc<Path>,
    tensors: BTreeMap<String, Held>,
    /// What [`Checkpoint::sub_dict`] took off every name.
    prefix: String,
}

/// A tensor, the file that it lies in, and its name there.
#[derive(Debug, Clone)]
struct Held {
    stored: Arc<Stored>,
    source: Arc<Source>,
    full_name: Arc<str>,
}

impl Checkpoint {
    /// Indexes a file; no values are read yet.
    ///
    /// # Errors
    ///
    /// * [`CheckpointError::Read`] if the system cannot read it;
    /// * [`CheckpointError::Other`] if it is something else that is often found in its place;
    /// * [`CheckpointError::Format`] if it is not what `format` says, in any detail.
    pub fn open(path: &Path, format: CheckpointFormat) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(|source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_reader(file, path, format)
    }

    /// Indexes what `reader` gives from its beginning on; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::open`].
    ///
    /// ```
    /// # use dsno_checkpoint::{Checkpoint, CheckpointFormat};
    /// # use std::io::Cursor;
    /// # use std::path::Path;
    /// let bytes = Cursor::new(b"\x02\0\0\0\0\0\0\0{}");
    /// let format = CheckpointFormat::Safetensors;
    /// assert!(Checkpoint::from_reader(bytes, Path::new("memory"), format)?.is_empty());
    /// # Ok::<(), dsno_checkpoint::CheckpointError>(())
    /// ```
    pub fn from_reader(
        reader: impl Read + Seek + Send + 'static,
        path: &Path,
        format: CheckpointFormat,
    ) -> Result<Self, CheckpointError> {
        let read = |source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        };
        let source = Source::new(path, Box::new(reader)).map_err(read)?;
        let mut budget = Budget::of_file(source.length());
        let index = match format {
            CheckpointFormat::Safetensors => safetensors_index::index(&source, &mut budget),
            CheckpointFormat::Torch => torch::index(&source, &mut budget),
            CheckpointFormat::Flax => flax::index(&source, &mut budget),
        };
        let index = index.map_err(|fault| match (fault, other_kind(&source)) {
            (ParseError::Read(source), _) => read(source),
            (_, Some(found)) => CheckpointError::Other {
                path: path.to_owned(),
                found,
            },
            (fault, None) => CheckpointError::Format {
                path: path.to_owned(),
                format,
                source: fault,
            },
        })?;
        let source = Arc::new(source);
        let held = |(name, stored): (String, Stored)| {
            let held = Held {
                stored: Arc::new(stored),
                source: Arc::clone(&source),
                full_name: name.as_str().into(),
            };
            (name, held)
        };
        Ok(Self {
            path: path.into(),
            tensors: index.into_iter().map(held).collect(),
            prefix: String::new(),
        })
    }

    /// The file, or the index of several.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor at all.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The lengths of a tensor's axes, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.tensors.get(name)?.stored.shape)
    }

    /// What a tensor holds, if it is there.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        Some(self.tensors.get(name)?.stored.element)
    }

    /// The tensors whose names begin with `prefix`, which their names then lack.
    ///
    /// Errors keep giving the full names.
    #[must_use]
    pub fn sub_dict(&self, prefix: &str) -> Self {
        let below = |(name, held): (&String, &Held)| {
            Some((name.strip_prefix(prefix)?.to_owned(), held.clone()))
        };
        Self {
            path: Arc::clone(&self.path),
            tensors: self.tensors.iter().filter_map(below).collect(),
            prefix: format!("{}{prefix}", self.prefix),
        }
    }

    /// Reads one tensor, row-major, as f32.
    ///
    /// Values of f16 and bf16 are exact; those of f64 are rounded to the nearest f32.
    ///
    /// # Errors
    ///
    /// * [`CheckpointError::Absent`] if there is no such tensor;
    /// * [`CheckpointError::NotReal`] if it holds integers, booleans, complex or 8-bit floats;
    /// * [`CheckpointError::Tensor`] if its bytes are damaged, or need more memory than
    ///   [the limit](crate#files-from-strangers);
    /// * [`CheckpointError::Read`] if the system cannot read the file any more.
    pub fn read(&self, name: &str) -> Result<HostTensor, CheckpointError> {
        let Some(held) = self.tensors.get(name) else {
            return Err(CheckpointError::Absent {
                path: self.path.to_path_buf(),
                name: format!("{}{name}", self.prefix),
            });
        };
        let Held {
            stored,
            source,
            full_name,
        } = held;
        let path = || source.path().to_owned();
        if !stored.element.is_real() {
            return Err(CheckpointError::NotReal {
                path: path(),
                name: full_name.as_ref().to_owned(),
                found: stored.element,
            });
        }
        let values = stored.read(source).map_err(|fault| match fault {
            ParseError::Read(source) => CheckpointError::Read {
                path: path(),
                source,
            },
            source => CheckpointError::Tensor {
                path: path(),
                name: full_name.as_ref().to_owned(),
                source,
            },
        })?;
        let shape = stored.shape.clone();
        Ok(HostTensor { shape, values })
    }
}

/// What a file is that is none of the formats; a zip archive may be PyTorch's, and damaged.
fn other_kind(source: &Source) -> Option<FileKind> {
    let mut start = Vec::new();
    source.section(0, 1024).read_to_end(&mut start).ok()?;
    FileKind::of_start(&start).filter(|kind| *kind != FileKind::Zip)
}
