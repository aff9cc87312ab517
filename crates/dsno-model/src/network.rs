//! The network of a teacher, of whichever family.

use dsno_checkpoint::StateDict;
use dsno_ode::{Clamped, Denoiser, Prediction};
use dsno_operator::foreign::ddpm::DdpmNetwork;
use dsno_operator::foreign::diffusers::DiffusersArchitecture;
use dsno_operator::foreign::edm::EdmNetwork;
use dsno_operator::foreign::guided::GuidedArchitecture;
use dsno_operator::{UNet, UNetConfig, UNetDenoiser};

use crate::TeacherArchitecture;

/// A network with its weights; one time per call.
///
/// [`TeacherArchitecture::init`] and [`TeacherArchitecture::load`] make one.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per model, next to millions of weights"
)]
#[non_exhaustive]
pub enum TeacherNetwork {
    /// This project's own network.
    Unet {
        /// The network.
        network: UNet,
        /// Its architecture, without temporal convolutions.
        architecture: UNetConfig,
        /// What its answer means.
        prediction: Prediction,
    },
    /// Hugging Face diffusers.
    Diffusers {
        /// The network.
        network: DdpmNetwork,
        /// Its architecture.
        architecture: DiffusersArchitecture,
    },
    /// OpenAI's networks.
    Guided {
        /// The network.
        network: DdpmNetwork,
        /// Its architecture.
        architecture: GuidedArchitecture,
    },
    /// EDM.
    Edm {
        /// The network, which knows its architecture.
        network: EdmNetwork,
    },
}

impl TeacherNetwork {
    /// Its architecture.
    pub fn architecture(&self) -> TeacherArchitecture {
        match self {
            Self::Unet {
                architecture,
                prediction,
                ..
            } => TeacherArchitecture::Unet {
                architecture: architecture.clone(),
                prediction: *prediction,
            },
            Self::Diffusers { architecture, .. } => {
                TeacherArchitecture::Diffusers(architecture.clone())
            }
            Self::Guided { architecture, .. } => TeacherArchitecture::Guided(architecture.clone()),
            Self::Edm { network } => TeacherArchitecture::Edm(network.architecture().clone()),
        }
    }

    /// Copies all weights to the host, under the names of their family's files.
    pub fn state_dict(&self) -> StateDict {
        match self {
            Self::Unet { network, .. } => network.state_dict(),
            Self::Diffusers { network, .. } | Self::Guided { network, .. } => network.state_dict(),
            Self::Edm { network } => network.state_dict(),
        }
    }

    /// The network as solvers see it.
    ///
    /// States may be in the units of any process. `labels` hold one class per sample of the batches to
    /// come; with `clamp`, predictions are held to `[-1, 1]`, and broken ones become NaN.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> Box<dyn Denoiser + '_> {
        let bare: Box<dyn Denoiser + '_> = match self {
            Self::Unet {
                network,
                prediction,
                ..
            } => Box::new(UNetDenoiser {
                network,
                prediction: *prediction,
                labels,
                clamp: false,
            }),
            Self::Diffusers { network, .. } | Self::Guided { network, .. } => {
                Box::new(network.denoiser(labels, false))
            }
            Self::Edm { network } => Box::new(network.denoiser(labels, false)),
        };
        if clamp {
            Box::new(Clamped::new(bare))
        } else {
            bare
        }
    }
}
