use burn::tensor::Tensor;
use dsno_ode::{Denoiser, NoiseLevel, clamp_prediction};

use super::network::{Condition, DdpmNetwork};

/// A network of the DDPM family as solvers see it, for one batch.
///
/// States may be in the units of any process; the network is given those it was trained on. One that
/// was trained on a table of noise levels is told the index of the level in that table, with a
/// fraction between entries, and the nearest entry beyond its ends.
///
/// # Panics
///
/// When it is called, if `labels` do not fit the network or the batch. A network that is conditioned
/// on vectors is no denoiser on its own: call [`DdpmNetwork::forward`].
#[derive(Debug, Clone)]
pub struct DdpmDenoiser<'a> {
    /// The network.
    pub network: &'a DdpmNetwork,
    /// One class per sample of the batches to come, for a network with classes.
    pub labels: Option<Vec<u32>>,
    /// Clamp the predicted image to `[-1, 1]`; NaN and infinity become NaN.
    pub clamp: bool,
}

impl Denoiser for DdpmDenoiser<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let condition = self.labels.as_deref().map(Condition::Labels);
        let network = |x, time| self.network.forward(x, &[time], condition);
        let x_hat = self.network.blueprint.process.denoise(z_t, at, network);
        if self.clamp {
            clamp_prediction(x_hat)
        } else {
            x_hat
        }
    }
}
