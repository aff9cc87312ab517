//! A network as solvers see it.

use burn::tensor::Tensor;
use dsno_ode::{Denoiser, NoiseLevel, clamp_prediction};

use crate::layer::Timesteps;
use crate::unet::UNet;

/// A teacher network of any family as solvers see it, for one batch.
///
/// States may be in the units of any process; the network is given those that it was trained on, with
/// the timestep in its own terms, and its output is read as the clean image:
///
/// ```text
/// x̂ = skip z_t + output F(input z_t; timestep)
/// ```
///
/// with the factors of what the network predicts or of its preconditioning. One that was trained on a
/// table of noise levels is given the index of the level in that table, with a fraction between
/// entries, and the nearest entry beyond its ends.
///
/// # Panics
///
/// When it is called, if `labels` do not fit the network or the batch. A network that is conditioned
/// on vectors is no denoiser on its own: call [`UNet::forward_conditioned`].
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{Denoiser, NoiseLevel, Prediction};
/// use dsno_operator::{NetworkConfig, UNetConfig};
///
/// let device = Device::flex();
/// let config = UNetConfig::new(8, 1).with_base_channels(32);
/// let network = NetworkConfig::unet(config, Prediction::V)?.init(1, &device);
/// let model = network.denoiser(None, true);
/// let z_t = Tensor::<4>::ones([2, 1, 8, 8], &device);
/// let x_hat = model.denoise(z_t, NoiseLevel::from_log_snr(0.0));
/// assert!(x_hat.abs().max().into_scalar::<f32>() <= 1.0);
/// # Ok::<(), dsno_operator::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct UNetDenoiser<'a> {
    /// The network, without temporal convolutions.
    pub network: &'a UNet,
    /// One class per sample of the batches to come, for a network with classes.
    pub labels: Option<Vec<u32>>,
    /// Clamp the predicted image to `[-1, 1]`, as published samplers do; NaN and infinity become NaN.
    pub clamp: bool,
}

impl UNet {
    /// Returns the teacher that solvers call, for batches with these labels.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> UNetDenoiser<'_> {
        UNetDenoiser {
            network: self,
            labels,
            clamp,
        }
    }
}

impl Denoiser for UNetDenoiser<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let by = self.network.coefficients(at);
        let input = if by.input == 1.0 {
            z_t.clone()
        } else {
            z_t.clone() * by.input
        };
        let (timesteps, labels) = ([by.timestep], self.labels.as_deref());
        let output = self
            .network
            .forward(input, Timesteps::Shared(&timesteps), labels);
        // Learned variances lie behind the image's channels.
        let [image, ..] = self.network.plan.image_shape;
        let output: Tensor<4> = output.squeeze_dim::<4>(1).narrow(1, 0, image);
        let x_hat = if by.skip == 0.0 {
            output
        } else {
            z_t * by.skip + output * by.output
        };
        if self.clamp {
            clamp_prediction(x_hat)
        } else {
            x_hat
        }
    }
}
