//! What a training minimises.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dsno_operator::UNet;

use crate::error::TrainError;
use crate::optimiser::Trainee;

/// What a [`Training`](crate::Training) minimises: examples, and their loss.
///
/// A run resumes bit for bit because neither method remembers anything: examples are a function of
/// their positions, the loss one of examples and weights. What a method needs besides, such as the
/// teacher of progressive distillation, is a field; what it needs to know of the run's progress,
/// such as a curriculum, it reads off the positions.
pub trait Objective: Sync {
    /// A microbatch.
    type Examples: Send;

    /// Makes the examples at `positions` of the endless order, on `device`, which has autodiff.
    ///
    /// Position `k` is the `k`-th example that the network sees; microbatches are asked for in their
    /// order.
    ///
    /// # Errors
    ///
    /// [`TrainError`]; reasons that only the objective knows are a [`TrainError::Objective`].
    fn examples(
        &mut self,
        positions: Range<u64>,
        device: &Device,
    ) -> Result<Self::Examples, TrainError>;

    /// The loss of a microbatch under the weights of `network`, which are leaves of a graph.
    ///
    /// Called for several microbatches at the same time.
    fn loss(&self, network: &UNet, ema: &Ema<'_>, examples: Self::Examples) -> Loss;
}

/// The loss of a microbatch.
#[derive(Debug)]
pub struct Loss {
    /// What is minimised, a scalar on the graph; a mean over the examples.
    pub total: Tensor<1>,
    /// Unweighted distance at each time, `[T]`, for the log; `None` where there are no fixed times.
    pub per_time: Option<Tensor<1>>,
}

impl From<Tensor<1>> for Loss {
    fn from(total: Tensor<1>) -> Self {
        let per_time = None;
        Self { total, per_time }
    }
}

/// The exponential moving average (EMA) of the network's weights before the step.
///
/// It is made when a loss first asks for it, and costs nothing where none does. Where
/// `ema_half_life_images` is 0 it is the network itself.
pub struct Ema<'a> {
    trainee: &'a Trainee,
    network: OnceLock<UNet>,
}

impl<'a> Ema<'a> {
    pub(crate) fn of(trainee: &'a Trainee) -> Self {
        let network = OnceLock::new();
        Self { trainee, network }
    }

    /// The network with averaged weights: without autodiff or dropout, for tensors without autodiff
    /// ([`Tensor::inner`]); its output goes back onto the graph's device by [`Tensor::autodiff`].
    pub fn network(&self) -> &UNet {
        self.network.get_or_init(|| self.trainee.ema().valid())
    }
}

impl fmt::Debug for Ema<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.network.get().is_some();
        f.debug_struct("Ema").field("made", &made).finish()
    }
}
