//! Weights of modules by name, strict in both directions.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use dsno_checkpoint::{HostTensor, StateDict, WeightError};

use crate::unet::UNet;

impl UNet {
    /// Copies all weights to the host.
    pub fn state_dict(&self) -> StateDict {
        named_parameters(self)
    }

    /// Replaces all weights; shapes and names must be exactly the network's.
    ///
    /// # Errors
    ///
    /// [`WeightError::Mismatch`] lists every difference at once; the network is then dropped.
    pub fn load_state_dict(self, weights: StateDict) -> Result<Self, WeightError> {
        with_parameters(self, weights)
    }
}

/// Copies the float parameters of any module to the host, by path.
pub fn named_parameters<M: Module>(module: &M) -> StateDict {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.weights
}

/// Replaces the float parameters of any module; names and shapes must match exactly.
///
/// # Errors
///
/// [`WeightError::Mismatch`] lists every difference at once.
pub fn with_parameters<M: Module>(module: M, weights: StateDict) -> Result<M, WeightError> {
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
    weights: StateDict,
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
    weights: StateDict,
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
