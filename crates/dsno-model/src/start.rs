//! Which network a student of a teacher has, and where it starts.

use burn::tensor::Device;
use dsno_operator::{
    ConfigError, NetworkConfig, OperatorConfig, Output, TemporalConvConfig, UNet, UNetConfig,
};

use crate::description::check_modes;
use crate::{DescriptionError, ModelError, Teacher};

/// Why a teacher and a student's architecture do not go together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudentError {
    /// Modes are chosen elsewhere.
    #[error("the student's architecture has `temporal`; its modes are chosen by `n_modes`")]
    Temporal,
    /// A student predicts states.
    #[error("the student's architecture has output `state-and-noise`, expected `state`")]
    JointOutput,
    /// Images of another shape.
    #[error(
        "the student's architecture is for images of {found:?}, the teacher's are {expected:?}"
    )]
    ImageShape {
        /// Channels, height and width of the student.
        found: [usize; 3],
        /// Channels, height and width of the teacher.
        expected: [usize; 3],
    },
    /// Another number of classes.
    #[error("the student's architecture has {found} classes, the teacher {expected}")]
    Classes {
        /// Classes of the student.
        found: usize,
        /// Classes of the teacher.
        expected: usize,
    },
    /// Too few times for the modes asked for.
    #[error(transparent)]
    Modes(#[from] DescriptionError),
    /// The network cannot be built.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The network of a student: its teacher's with temporal convolutions, or one of ours of another shape.
///
/// `times` are those of the trajectories, the noise left out, where they are known.
///
/// # Errors
///
/// [`StudentError`], if `architecture` does not fit the teacher, or the modes do not fit the times.
pub fn student_config(
    teacher: &NetworkConfig,
    architecture: Option<&UNetConfig>,
    temporal: Option<TemporalConvConfig>,
    times: Option<usize>,
) -> Result<OperatorConfig, StudentError> {
    let backbone = backbone(teacher)?;
    let network = match architecture {
        None => backbone,
        Some(given) => own(backbone, given)?,
    };
    let config = OperatorConfig { network, temporal };
    config.validate()?;
    times.map_or(Ok(()), |times| check_modes(temporal, times))?;
    Ok(config)
}

/// The network of a student that starts at this teacher: of image and noise side by side, it predicts
/// the image alone.
fn backbone(teacher: &NetworkConfig) -> Result<NetworkConfig, ConfigError> {
    match teacher.as_unet() {
        Some((own, Some(prediction))) if own.output == Output::StateAndNoise => {
            let own = own.clone().with_output(Output::State);
            NetworkConfig::unet(own, prediction)
        }
        _ => Ok(teacher.clone()),
    }
}

/// A network of ours, if it has the images and classes of the teacher.
fn own(teacher: NetworkConfig, given: &UNetConfig) -> Result<NetworkConfig, StudentError> {
    if given.temporal.is_some() {
        return Err(StudentError::Temporal);
    }
    if given.output == Output::StateAndNoise {
        return Err(StudentError::JointOutput);
    }
    if teacher.as_unet().is_some_and(|(own, _)| own == given) {
        return Ok(teacher);
    }
    let network = NetworkConfig::unet(given.clone(), dsno_ode::Prediction::X)?;
    let (found, expected) = (network.image_shape(), teacher.image_shape());
    if found != expected {
        return Err(StudentError::ImageShape { found, expected });
    }
    let (found, expected) = (network.classes(), teacher.classes());
    if found != expected {
        return Err(StudentError::Classes { found, expected });
    }
    Ok(network)
}

/// The network that a student starts as: at its teacher's weights where it is the teacher's network, at
/// fresh ones where it has another shape. Fresh weights are a function of `seed` alone.
///
/// # Errors
///
/// [`ModelError::Config`] if the network cannot be built, [`ModelError::Weights`] if the teacher's
/// weights do not fit it.
pub fn fresh_student(
    teacher: &Teacher,
    config: &OperatorConfig,
    seed: u64,
    device: &Device,
) -> Result<UNet, ModelError> {
    let network = config.init(seed, device)?;
    if config.network == backbone(&teacher.config)? {
        Ok(network.init_from_teacher(&teacher.network)?)
    } else {
        Ok(network)
    }
}
