//! Which network a student of a teacher has.

use dsno_operator::{Output, UNetConfig, UNetConfigError};

use crate::{Family, TeacherArchitecture};

/// Why a teacher and a student's architecture do not go together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// The teacher's own architecture is the student's.
    #[error(
        "a student of our own network has its teacher's architecture; leave `architecture` out"
    )]
    Superfluous,
    /// The teacher has no architecture of ours.
    #[error("a student of a teacher of family `{family}` needs an `architecture` of its own")]
    Absent {
        /// The teacher's family.
        family: Family,
    },
    /// Modes are chosen elsewhere.
    #[error("the student's architecture has `temporal`; its modes are chosen by `n_modes`")]
    Temporal,
    /// A student answers with states.
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
    /// The network cannot be built.
    #[error(transparent)]
    Architecture(#[from] UNetConfigError),
}

/// The network of a student, without temporal convolutions: its teacher's, or `given` where the
/// teacher is of another family.
///
/// Of a teacher that predicts image and noise side by side, the student has the head of the image.
///
/// # Errors
///
/// [`BackboneError`], if `given` is missing, superfluous or does not fit the teacher.
pub fn backbone(
    teacher: &TeacherArchitecture,
    given: Option<&UNetConfig>,
) -> Result<UNetConfig, BackboneError> {
    let backbone = match (teacher, given) {
        (TeacherArchitecture::Unet { .. }, Some(_)) => return Err(BackboneError::Superfluous),
        (TeacherArchitecture::Unet { architecture, .. }, None) => UNetConfig {
            output: match architecture.output {
                Output::StateAndNoise => Output::State,
                other => other,
            },
            ..architecture.clone()
        },
        (_, Some(given)) => given.clone(),
        (_, None) => {
            let family = teacher.family();
            return Err(BackboneError::Absent { family });
        }
    };
    if backbone.temporal.is_some() {
        return Err(BackboneError::Temporal);
    }
    if backbone.output == Output::StateAndNoise {
        return Err(BackboneError::JointOutput);
    }
    let size = backbone.image_size;
    let (found, expected) = ([backbone.image_channels, size, size], teacher.image_shape());
    if found != expected {
        return Err(BackboneError::ImageShape { found, expected });
    }
    let (found, expected) = (backbone.classes, teacher.classes());
    if found != expected {
        return Err(BackboneError::Classes { found, expected });
    }
    backbone.validate()?;
    Ok(backbone)
}
