//! Weights in and out, strict in both directions.

use std::f64::consts::TAU;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use dsno_checkpoint::{Checkpoint, HostTensor, StateDict, WeightError};

use crate::entry::{self, match_up, shapes_in, shapes_of};
use crate::init::unit;
use crate::layer::Filter;
use crate::plan::{Buffer, BufferValue, Plan};
use crate::unet::UNet;

/// Stored filters are products of f32 quotients; of the largest tap.
const FILTER_ROUNDING: f32 = 1e-6;

impl UNet {
    /// Copies all weights to the host, under the names of the family's weight files.
    pub fn state_dict(&self) -> StateDict {
        let ours = named_parameters(self);
        let stored = entry::write(self.plan.entries(), ours);
        let mut weights = stored.expect("invariant: a network has the parameters of its plan");
        weights.extend(self.buffers.clone());
        weights
    }

    /// Replaces all weights; names and shapes must be exactly those of the family's weight files.
    ///
    /// Where newer versions of another program have renamed a tensor, the older name is read too.
    ///
    /// # Errors
    ///
    /// * [`WeightError::Mismatch`] lists every difference at once; the network is then dropped;
    /// * [`WeightError::OtherFilter`] if a stored resampling filter is not the architecture's.
    pub fn load_state_dict(self, mut weights: StateDict) -> Result<Self, WeightError> {
        let shapes = shapes_in(&weights);
        self.filled(shapes, |name| Ok(weights.remove(name).unwrap_or_default()))
    }

    /// Reads all weights from a file, which has nothing else, one tensor at a time.
    ///
    /// # Errors
    ///
    /// As [`Self::load_state_dict`], before any values are read, and
    /// [`WeightError::Checkpoint`] if a tensor cannot be read.
    pub fn load(self, checkpoint: &Checkpoint) -> Result<Self, WeightError> {
        self.filled(shapes_of(checkpoint), |name| Ok(checkpoint.read(name)?))
    }

    fn filled(
        mut self,
        found: entry::Shapes,
        tensor: impl FnMut(&str) -> Result<HostTensor, WeightError>,
    ) -> Result<Self, WeightError> {
        let plan = &self.plan;
        let entries = plan.buffer_entries().chain(plan.entries()).collect();
        let entries = match_up(entries, found, |name| plan.older(name))?;
        let mut ours = entry::read(entries, tensor)?;
        let names = plan.buffers.iter().map(|buffer| &buffer.name);
        let buffers: StateDict = names.filter_map(|name| ours.remove_entry(name)).collect();
        plan.check_filters(|name| Ok(buffers[name].clone()))?;
        self.set_buffers(buffers);
        with_parameters(self, ours)
    }
}

impl Plan {
    /// What is stored and not trained, for a fresh network.
    pub(crate) fn fresh_buffers(&self, seed: u64) -> StateDict {
        let buffer = |buffer: &Buffer| {
            let values = match &buffer.value {
                BufferValue::Filter => Filter::new(&self.filter).stored(),
                BufferValue::Constant(values) => values.clone(),
                BufferValue::Random(deviation) => normal(seed, *deviation, buffer.shape[0]),
            };
            let shape = buffer.shape.clone();
            (buffer.name.clone(), HostTensor { shape, values })
        };
        self.buffers.iter().map(buffer).collect()
    }

    /// Refuses a stored resampling filter that is not the one of the configuration.
    pub(crate) fn check_filters(
        &self,
        stored: impl Fn(&str) -> Result<HostTensor, WeightError>,
    ) -> Result<(), WeightError> {
        let filter = Filter::new(&self.filter).stored();
        let largest = filter.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let buffers = self.buffers.iter();
        for buffer in buffers.filter(|buffer| buffer.value == BufferValue::Filter) {
            for (found, &expected) in stored(&buffer.name)?.values.into_iter().zip(&filter) {
                // Written so that NaN is refused too.
                let close = (found - expected).abs() <= FILTER_ROUNDING * largest;
                if !close {
                    return Err(WeightError::OtherFilter {
                        name: buffer.name.clone(),
                        found,
                        expected,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Normal draws from stream 0, which no parameter uses, by the method of Box and Muller.
fn normal(seed: u64, deviation: f64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || unit(rng.next_u64());
    (0..count)
        .map(|_| {
            let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
            (deviation * radius * (TAU * uniform()).cos()) as f32
        })
        .collect()
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
