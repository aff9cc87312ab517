//! One network under training: weights, their average, and Adam.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Bytes;
use dsno_operator::UNet;

use crate::ema::Ema;
use crate::recipe::Adam;

/// Weights with everything that moves them.
pub(crate) struct Trainee {
    /// On an autodiff device.
    pub(crate) network: UNet,
    /// On the plain device.
    pub(crate) ema: Ema,
    optimiser: ModuleOptimizer,
}

impl Trainee {
    /// Starts training; `network` is on a plain device.
    pub(crate) fn new(network: UNet, ema: UNet, ema_rate: f64, adam: Adam) -> Self {
        let optimiser = AdamConfig::new()
            .with_beta_1(adam.beta_1 as f32)
            .with_beta_2(adam.beta_2 as f32)
            .with_epsilon(1e-8)
            .init();
        Self {
            network: network.train(),
            ema: Ema::new(ema, ema_rate),
            optimiser,
        }
    }

    /// Takes up the optimiser's stored state.
    pub(crate) fn with_optimiser(self, record: Vec<u8>) -> Result<Self, String> {
        let optimiser = self.optimiser.from_bytes(Bytes::from_bytes_vec(record));
        Ok(Self {
            optimiser: optimiser.map_err(|error| error.to_string())?,
            ..self
        })
    }

    /// The optimiser's state as bytes.
    pub(crate) fn optimiser_record(&self) -> Result<Vec<u8>, String> {
        let bytes = self
            .optimiser
            .into_bytes()
            .map_err(|error| error.to_string())?;
        Ok(bytes.to_vec())
    }

    /// One step downhill.
    pub(crate) fn step(mut self, gradients: GradientsParams, learning_rate: f64) -> Self {
        self.network = self.optimiser.step(learning_rate, self.network, gradients);
        self.ema = self.ema.update(&self.network);
        self
    }
}
