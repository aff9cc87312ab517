//! Weights by name, on the host, and their safetensors files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, View};

use crate::mismatch::Differences;
use crate::{Checkpoint, CheckpointError, CheckpointFormat, DType};

/// Named weights on the host, f32, in a fixed (alphabetical) order.
pub type StateDict = BTreeMap<String, HostTensor>;

/// One tensor on the host, row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostTensor {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// Keeps the first `count` entries of the first axis.
    pub fn keep_first(&mut self, count: usize) {
        let rest: usize = self.shape[1..].iter().product();
        self.values.truncate(count * rest);
        self.shape[0] = self.values.len() / rest;
    }
}

/// A tensor of a safetensors file; its bytes are made when they are written.
impl View for &HostTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// Why weights could not be read, written or fitted to a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// The file cannot be read, is damaged, or its header lies.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor is not stored as 32-bit floats.
    #[error("tensor `{name}` in {} is {found:?}, expected F32", path.display())]
    NotF32 {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: DType,
    },
    /// Names or shapes differ from the network's; the fields list everything that differs, the text
    /// counts it and shows the first of each kind.
    #[error(
        "weights do not fit the architecture: {}",
        Differences { missing, unexpected, misshapen }
    )]
    Mismatch {
        /// Names the network needs and the file lacks.
        missing: Vec<String>,
        /// Names in the file that the network does not know.
        unexpected: Vec<String>,
        /// Name, shape found, shape expected.
        misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    },
    /// The weights were trained with another resampling filter than the architecture's.
    #[error(
        "`{name}` holds another filter than the architecture's resample_filter: {found} where {expected} is expected"
    )]
    OtherFilter {
        /// The tensor.
        name: String,
        /// The first value that differs.
        found: f32,
        /// What the architecture gives.
        expected: f32,
    },
}

/// Serialises weights as safetensors; the same weights give the same bytes.
///
/// # Panics
///
/// Never for weights that were read from a module.
pub fn to_safetensors(weights: &StateDict) -> Vec<u8> {
    safetensors::serialize(weights, None).expect("invariant: f32 values fill their shapes")
}

/// Reads every tensor of a safetensors file, all of which must be f32.
///
/// # Errors
///
/// * [`WeightError::Checkpoint`] if the file cannot be read, is truncated, or its header does not
///   describe its bytes;
/// * [`WeightError::NotF32`] if a tensor has another type.
pub fn read_safetensors(path: &Path) -> Result<StateDict, WeightError> {
    let file = Checkpoint::open(path, CheckpointFormat::Safetensors)?;
    let tensor = |name: &str| match file.dtype(name) {
        Some(found) if found != DType::F32 => Err(WeightError::NotF32 {
            path: path.to_owned(),
            name: name.to_owned(),
            found,
        }),
        _ => Ok((name.to_owned(), file.read(name)?)),
    };
    file.names().map(tensor).collect()
}
