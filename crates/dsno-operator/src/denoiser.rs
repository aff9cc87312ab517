//! A network as solvers see it.

use burn::tensor::Tensor;
use dsno_ode::{Denoiser, NoiseLevel, Prediction, clamp_prediction};

use crate::layer::Timesteps;
use crate::unet::UNet;

/// A teacher network that predicts the clean image, for one batch.
///
/// Networks are trained on variance-preserving states; those of another process are scaled first.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Denoiser, Prediction};
/// use dsno_operator::UNetDenoiser;
/// # use dsno_operator::{UNetConfig, Heads, Output};
/// # let architecture = UNetConfig { image_size: 4, image_channels: 1, base_channels: 8,
/// #     embedding_channels: 8, channel_multipliers: vec![1], res_blocks: 1,
/// #     attention_resolutions: vec![], heads: Heads::Count(1), attention_groups: 4,
/// #     residual_groups: None, classes: 0,
/// #     dropout: 0.0, temporal: None, output: Output::State };
/// // With `architecture` one without temporal convolutions:
/// let device = Device::flex();
/// let network = architecture.init(1, &device)?;
/// let model = UNetDenoiser { network: &network, prediction: Prediction::V, labels: None, clamp: true };
/// let z_t = Tensor::<4>::ones([2, 1, 4, 4], &device);
/// let x_hat = model.denoise(z_t, NoiseLevel::from_log_snr(0.0));
/// assert!(x_hat.abs().max().into_scalar::<f32>() <= 1.0);
/// # Ok::<(), dsno_operator::UNetConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct UNetDenoiser<'a> {
    /// The network, without temporal convolutions.
    pub network: &'a UNet,
    /// What its output means.
    pub prediction: Prediction,
    /// One class per sample of the batches to come, for a network with classes.
    pub labels: Option<Vec<u32>>,
    /// Clamp the predicted image to `[-1, 1]`, as published samplers do; NaN and infinity become NaN.
    pub clamp: bool,
}

impl Denoiser for UNetDenoiser<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let preserving = NoiseLevel::from_log_snr(at.log_snr());
        let z_t = if at == preserving {
            z_t
        } else {
            z_t / at.scale()
        };
        let levels = [at.log_snr()];
        let labels = self.labels.as_deref();
        let output = self
            .network
            .forward(z_t.clone(), Timesteps::Shared(&levels), labels);
        let x_hat = self.prediction.to_x(output.squeeze_dim(1), z_t, preserving);
        if self.clamp {
            clamp_prediction(x_hat)
        } else {
            x_hat
        }
    }
}
