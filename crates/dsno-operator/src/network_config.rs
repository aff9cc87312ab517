//! Networks of any family, before they have weights; and the registry of families.

use std::fmt;
use std::sync::Arc;

use burn::tensor::Device;
use dsno_checkpoint::{Checkpoint, KeyMapping, WeightError};
use dsno_ode::{NoiseSchedule, Prediction};
use toml::Table;

use crate::config_error::ConfigError;
use crate::describe::Description;
use crate::family::unet::{Output, UNetConfig};
use crate::family::{self, Family, FamilyConfig};
use crate::layer_config::TemporalConvConfig;
use crate::plan::{ClassInput, Plan};
use crate::process::{DdpmProcess, Process};
use crate::unet::UNet;

/// Describes a network of any family completely: its layers, its weight file, and what it predicts.
///
/// As a table it holds `architecture`, with the keys of its family, and for our own networks
/// `prediction`.
///
/// # Examples
///
/// ```
/// use burn::tensor::Device;
/// use dsno_operator::NetworkConfig;
///
/// let table = toml::from_str(r#"
///     prediction = "v"
///     [architecture]
///     image_size = 8
///     image_channels = 1
///     base_channels = 8
///     embedding_channels = 32
///     channel_multipliers = [1, 2]
///     res_blocks = 1
///     attention_resolutions = [4]
///     heads = { count = 1 }
///     attention_groups = 4
///     classes = 0
///     dropout = 0.0
///     output = "state"
/// "#)?;
/// let config = NetworkConfig::read("unet", table)?;
/// assert_eq!(config.image_shape(), [1, 8, 8]);
/// let network = config.init(1, &Device::flex());
/// assert_eq!(network.state_dict()["stem.weight"].shape, [8, 1, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NetworkConfig {
    family: Arc<dyn FamilyConfig>,
    /// Laid out once, which is what checks it.
    plan: Arc<Plan>,
}

impl NetworkConfig {
    /// Lays a network out.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first key or layer that cannot work.
    pub fn new(config: impl FamilyConfig + 'static) -> Result<Self, ConfigError> {
        Self::of(Arc::new(config))
    }

    /// A network of ours that predicts this.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn unet(architecture: UNetConfig, prediction: Prediction) -> Result<Self, ConfigError> {
        Self::new(family::unet::OwnNetwork {
            architecture,
            prediction: Some(prediction),
        })
    }

    fn of(family: Arc<dyn FamilyConfig>) -> Result<Self, ConfigError> {
        let plan = Arc::new(family.plan()?);
        Ok(Self { family, plan })
    }

    /// Reads the table of a network of the family with this name.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Keys`] if there is no such family or the keys are not its; others as
    /// [`Self::new`].
    pub fn read(family: &str, table: Table) -> Result<Self, ConfigError> {
        Self::of((Family::named(family)?.read)(table)?.into())
    }

    /// The table that [`Self::read`] reads.
    pub fn table(&self) -> Table {
        self.family.table()
    }

    /// Its family.
    pub fn family(&self) -> Family {
        self.family.family()
    }

    /// Its own configuration, if it is of type `T`.
    pub fn downcast<T: FamilyConfig + 'static>(&self) -> Option<&T> {
        let any: &dyn std::any::Any = self.family.as_ref();
        any.downcast_ref()
    }

    /// The architecture and the prediction of a network of ours.
    pub fn as_unet(&self) -> Option<(&UNetConfig, Option<Prediction>)> {
        let own: &family::unet::OwnNetwork = self.downcast()?;
        Some((&own.architecture, own.prediction))
    }

    /// Channels, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        self.plan.image_shape
    }

    /// Number of classes; 0 for an unconditional network.
    pub fn classes(&self) -> usize {
        self.family.classes()
    }

    /// Probability with which blocks drop an activation while training.
    pub fn dropout(&self) -> f64 {
        self.plan.dropout
    }

    /// The schedule that is part of the network, where it was trained on a table of noise levels.
    pub fn schedule(&self) -> Option<&NoiseSchedule> {
        match &self.plan.process {
            Process::Ddpm(DdpmProcess::Table { schedule, .. }) => Some(schedule),
            _ => None,
        }
    }

    /// The same network for images of another size.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_image_size(&self, size: usize) -> Result<Self, ConfigError> {
        Self::of(self.family.with_image_size(size).into())
    }

    /// Checks that it can be a teacher: predicts for one time, and is conditioned on classes at most.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TemporalTeacher`], [`ConfigError::NoPrediction`], [`ConfigError::Vectors`] or
    /// [`ConfigError::UnknownClasses`].
    pub fn check_teacher(&self) -> Result<(), ConfigError> {
        if let Some((architecture, prediction)) = self.as_unet() {
            if architecture.temporal.is_some() {
                return Err(ConfigError::TemporalTeacher);
            }
            prediction.ok_or(ConfigError::NoPrediction)?;
        }
        match self.plan.embedding.class {
            ClassInput::Vectors => Err(ConfigError::Vectors),
            ClassInput::Numbers if self.classes() == 0 => Err(ConfigError::UnknownClasses),
            _ => Ok(()),
        }
    }

    /// Builds the network with fresh weights, a function of `seed` alone.
    ///
    /// Parameters are created lazily, on first use, so that loading weights costs no initialisation.
    pub fn init(&self, seed: u64, device: &Device) -> UNet {
        UNet::new(self.plan.as_ref().clone(), seed, device)
    }

    /// Builds the network with the weights of a file, which has nothing else, one tensor at a time.
    ///
    /// Names are those of the family's own program; where they lie below a prefix, give
    /// [`Checkpoint::sub_dict`] of it.
    ///
    /// # Errors
    ///
    /// * [`WeightError::Mismatch`] with every missing, unexpected and misshapen tensor at once, before
    ///   any values are read;
    /// * [`WeightError::Checkpoint`] if a tensor cannot be read;
    /// * [`WeightError::OtherFilter`] if the file's resampling filter is another.
    pub fn load(&self, checkpoint: &Checkpoint, device: &Device) -> Result<UNet, WeightError> {
        self.init(0, device).load(checkpoint)
    }

    /// Finds all weights in a file without building anything, for programs that pass them on.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn find(&self, checkpoint: &Checkpoint) -> Result<Vec<KeyMapping>, WeightError> {
        self.plan.find(checkpoint)
    }

    /// Lists names and shapes of the weight file that belongs to this network.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.plan.weight_shapes()
    }

    /// Counts the trainable parameters; stored frequencies, levels and filters are not counted.
    pub fn parameter_count(&self) -> usize {
        self.plan.parameter_count()
    }

    /// Counts multiply-adds of one forward pass of one sample at `times` times.
    pub fn multiply_adds(&self, times: usize) -> u64 {
        self.plan.multiply_adds(times)
    }

    /// Describes a forward pass of one sample at `times` times, layer by layer.
    pub fn describe(&self, times: usize) -> Description {
        self.plan.describe(times)
    }
}

impl fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt(f)
    }
}

impl PartialEq for NetworkConfig {
    fn eq(&self, other: &Self) -> bool {
        self.family() == other.family() && self.table() == other.table()
    }
}

/// Describes an operator: a network of any family with temporal convolutions, or none, that predicts
/// states at all of its times in one pass.
///
/// A network of ours predicts states with the head that it has. One of another family predicts the
/// clean image as its teacher does, plus the rest of the state by channels that start at zero: it can
/// begin at its teacher's weights, and is then its teacher's clean prediction at every time.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorConfig {
    /// The network without temporal convolutions.
    pub network: NetworkConfig,
    /// Its temporal convolutions; `None` leaves times independent of one another.
    pub temporal: Option<TemporalConvConfig>,
}

impl OperatorConfig {
    /// Checks that the operator can be built.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Count`] if no modes are kept.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.plan().map(drop)
    }

    /// Builds the operator with fresh weights, a function of `seed` alone.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn init(&self, seed: u64, device: &Device) -> Result<UNet, ConfigError> {
        Ok(UNet::new(self.plan()?, seed, device))
    }

    /// Finds all weights in a file without building anything, for programs that pass them on.
    ///
    /// # Errors
    ///
    /// As [`NetworkConfig::load`].
    ///
    /// # Panics
    ///
    /// If the operator cannot be built, see [`Self::validate`].
    pub fn find(&self, checkpoint: &Checkpoint) -> Result<Vec<KeyMapping>, WeightError> {
        let plan = self.plan();
        plan.expect("invariant: the operator is validated")
            .find(checkpoint)
    }

    /// Counts the trainable parameters.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn parameter_count(&self) -> Result<usize, ConfigError> {
        Ok(self.plan()?.parameter_count())
    }

    /// Counts multiply-adds of one forward pass of one sample at `times` times.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn multiply_adds(&self, times: usize) -> Result<u64, ConfigError> {
        Ok(self.plan()?.multiply_adds(times))
    }

    /// Describes a forward pass of one sample at `times` times, layer by layer.
    ///
    /// # Errors
    ///
    /// As [`Self::validate`].
    pub fn describe(&self, times: usize) -> Result<Description, ConfigError> {
        Ok(self.plan()?.describe(times))
    }

    /// The architecture of an operator of ours, temporal convolutions included.
    pub fn as_unet(&self) -> Option<UNetConfig> {
        let (architecture, _) = self.network.as_unet()?;
        Some(UNetConfig {
            temporal: self.temporal,
            output: Output::State,
            ..architecture.clone()
        })
    }

    pub(crate) fn plan(&self) -> Result<Plan, ConfigError> {
        self.network.plan.operator(self.temporal)
    }
}
