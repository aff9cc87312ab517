//! Weights in and out: safetensors, strict in both directions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointFormat, Element};
use crate::unet::UNet;

/// Named weights on the host, f32, in a fixed (alphabetical) order.
pub type NamedWeights = BTreeMap<String, HostTensor>;

/// One tensor on the host, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// Keeps the first `count` entries of the first axis.
    pub(crate) fn keep_first(&mut self, count: usize) {
        let rest: usize = self.shape[1..].iter().product();
        self.values.truncate(count * rest);
        self.shape[0] = self.values.len() / rest;
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
        found: Element,
    },
    /// Names or shapes differ from the network's; everything that differs is listed.
    #[error(
        "weights do not fit the architecture: {} missing {missing:?}, {} unexpected {unexpected:?}, {} of another shape {misshapen:?}",
        missing.len(), unexpected.len(), misshapen.len()
    )]
    Mismatch {
        /// Names the network needs and the file lacks.
        missing: Vec<String>,
        /// Names in the file that the network does not know.
        unexpected: Vec<String>,
        /// Name, shape found, shape expected.
        misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    },
}

impl UNet {
    /// Copies all weights to the host.
    pub fn named_weights(&self) -> NamedWeights {
        named_parameters(self)
    }

    /// Replaces all weights; shapes and names must be exactly the network's.
    ///
    /// # Errors
    ///
    /// [`WeightError::Mismatch`] lists every difference at once; the network is then dropped.
    pub fn with_weights(self, weights: NamedWeights) -> Result<Self, WeightError> {
        with_parameters(self, weights)
    }
}

/// Copies the float parameters of any module to the host, by path.
pub fn named_parameters<M: Module>(module: &M) -> NamedWeights {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.weights
}

/// Replaces the float parameters of any module; names and shapes must match exactly.
///
/// # Errors
///
/// [`WeightError::Mismatch`] lists every difference at once.
pub fn with_parameters<M: Module>(module: M, weights: NamedWeights) -> Result<M, WeightError> {
    let mut writer = Writer {
        weights,
        ..Writer::default()
    };
    let module = module.map(&mut writer);
    let unexpected: Vec<String> = writer.weights.into_keys().collect();
    if writer.missing.is_empty() && writer.misshapen.is_empty() && unexpected.is_empty() {
        Ok(module)
    } else {
        let (missing, misshapen) = (writer.missing, writer.misshapen);
        Err(WeightError::Mismatch {
            missing,
            unexpected,
            misshapen,
        })
    }
}

/// Serialises weights as safetensors; the same weights give the same bytes.
///
/// # Panics
///
/// Never for weights that were read from a module.
pub fn to_safetensors(weights: &NamedWeights) -> Vec<u8> {
    let bytes: Vec<(&String, &HostTensor, Vec<u8>)> = weights
        .iter()
        .map(|(name, t)| {
            (
                name,
                t,
                t.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
            .expect("invariant: four bytes per value");
        (name.as_str(), view)
    });
    safetensors::serialize(views, None).expect("invariant: views are consistent")
}

/// Reads every tensor of a safetensors file, all of which must be f32.
///
/// # Errors
///
/// * [`WeightError::Checkpoint`] if the file cannot be read, is truncated, or its header does not
///   describe its bytes;
/// * [`WeightError::NotF32`] if a tensor has another type.
pub fn read_safetensors(path: &Path) -> Result<NamedWeights, WeightError> {
    let file = Checkpoint::open(path, CheckpointFormat::Safetensors)?;
    let tensor = |name: &str| match file.element(name) {
        Some(found) if found != Element::F32 => Err(WeightError::NotF32 {
            path: path.to_owned(),
            name: name.to_owned(),
            found,
        }),
        _ => Ok((name.to_owned(), file.read(name)?)),
    };
    file.names().map(tensor).collect()
}

/// The path of the parameter that a walk has reached, enum variants left out.
#[derive(Debug, Default)]
struct Place(Vec<Option<String>>);

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.0
            .push((!container.starts_with("Enum")).then(|| name.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0
            .iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(".")
    }
}

#[derive(Debug, Default)]
struct Reader {
    place: Place,
    weights: NamedWeights,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().convert::<f32>().try_into_vec();
        let values = values.expect("invariant: converted to f32");
        self.weights
            .insert(self.place.name(), HostTensor { shape, values });
    }
}

#[derive(Debug, Default)]
struct Writer {
    place: Place,
    weights: NamedWeights,
    missing: Vec<String>,
    misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.place.name();
        let expected = param.lazy_shape().to_vec();
        match self.weights.remove(&name) {
            None => {
                self.missing.push(name);
                param
            }
            Some(found) if found.shape != expected => {
                self.misshapen.push((name, found.shape, expected));
                param
            }
            Some(found) => {
                let (id, device) = (param.id, param.lazy_device());
                let data = TensorData::new(found.values, found.shape);
                param.transform_for_load(Tensor::from_data(data, &device), id)
            }
        }
    }
}

#[cfg(test)]
mod tests;
