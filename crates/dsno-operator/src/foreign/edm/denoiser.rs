//! An EDM network as solvers see it.

use burn::tensor::Tensor;
use dsno_ode::{Denoiser, NoiseLevel, clamp_prediction};

use super::entries::LEVELS;
use super::network::EdmNetwork;

/// A teacher that predicts the clean image, for one batch.
///
/// ```text
/// x̂ = c_skip x + c_out F(c_in x; c_noise)     x = z_t/α,   noise of standard deviation σ/α
/// ```
///
/// with the factors of [`Preconditioning`](super::Preconditioning): states of variance-preserving
/// and of variance-exploding levels give the same image.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor, Tolerance};
/// use dsno_ode::{NoiseLevel, Denoiser};
/// use dsno_operator::foreign::edm::{EdmArchitecture, EdmModel, Preconditioning};
///
/// let architecture = EdmArchitecture {
///     img_resolution: 4,
///     img_channels: 1,
///     label_dim: 0,
///     augment_dim: 0,
///     model_channels: 8,
///     channel_mult: vec![1],
///     channel_mult_emb: 2,
///     num_blocks: 1,
///     attn_resolutions: vec![],
///     dropout: 0.0,
///     model: EdmModel::DhariwalUNet {},
///     preconditioning: Preconditioning::Edm { sigma_data: 0.5 },
/// };
/// let device = Device::flex();
/// let network = architecture.init(1, &device)?;
/// let model = network.denoiser(None, false);
///
/// let exploding = NoiseLevel::variance_exploding(2.0);
/// let preserving = NoiseLevel::from_log_snr(exploding.log_snr());
/// let x = Tensor::<4>::ones([1, 1, 4, 4], &device);
/// let x_hat = model.denoise(x.clone(), exploding);
/// let same = model.denoise(x * preserving.alpha(), preserving);
/// x_hat.into_data().assert_approx_eq::<f32>(&same.into_data(), Tolerance::relative(1e-5));
/// # Ok::<(), dsno_operator::foreign::edm::EdmArchitectureError>(())
/// ```
#[derive(Debug, Clone)]
pub struct EdmDenoiser<'a> {
    /// The network.
    pub network: &'a EdmNetwork,
    /// One class per sample of the batches to come, for a network with classes.
    pub labels: Option<Vec<u32>>,
    /// Clamp the predicted image to `[-1, 1]`; NaN and infinity become NaN.
    pub clamp: bool,
}

impl Denoiser for EdmDenoiser<'_> {
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let alpha = at.alpha();
        let architecture = &self.network.architecture;
        let levels = self.network.constants.get(LEVELS);
        let levels = levels.map_or(&[][..], |levels| &levels.values);
        let by = architecture
            .preconditioning
            .coefficients(at.sigma() / alpha, levels);
        let input = z_t.clone() * (by.input / alpha);
        let output = self
            .network
            .forward(input, &[by.noise], self.labels.as_deref());
        // Learned variances lie behind the image's channels.
        let output = output.narrow(1, 0, architecture.img_channels);
        let x_hat = z_t * (by.skip / alpha) + output * by.out;
        if self.clamp {
            clamp_prediction(x_hat)
        } else {
            x_hat
        }
    }
}
