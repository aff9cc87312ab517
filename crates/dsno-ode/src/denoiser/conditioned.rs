use burn::tensor::Tensor;

use super::{Conditioning, Denoiser};
use crate::{NoiseLevel, Prediction};

/// A network as a denoiser: its conditioning, its prediction type and the function itself.
///
/// Three independent choices describe any published network: the number it is conditioned on
/// ([`Conditioning`], which also fixes the units of its input), what it predicts
/// ([`Prediction`]), and the function itself. With them it can be driven on every schedule, since a
/// level is the same `λ` everywhere:
///
/// ```text
/// z    = z_t · s_seen/s_at             the state in the units of the network, s² = α² + σ²
/// x̂    = prediction.to_x(network(z, value(λ)), z, level(λ))
/// ```
///
/// A state that is already in the network's units is not touched.
///
/// # Shapes
///
/// The network maps `[B, C, H, W]` and one number to `[B, C, H, W]`.
///
/// # Examples
///
/// A network of the DDPM kind, conditioned on a table index and predicting `ε`, on EDM's schedule:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{
///     Conditioned, Conditioning, Ddim, DiscreteSchedule, EdmSchedule, GridKind, Prediction, TimeGrid,
///     solve,
/// };
///
/// // The exact prediction for images that are all 0: the state is its own noise.
/// let table = DiscreteSchedule::linear(1000, 1e-4, 0.02)?;
/// let levels = table.clone();
/// let network = move |z: Tensor<4>, index: f64| {
///     let at = dsno_ode::Schedule::at(&levels, levels.time_of(index));
///     z / at.sigma()
/// };
/// let model = Conditioned::new(Conditioning::index(table), Prediction::Epsilon, network);
///
/// let schedule = EdmSchedule::default();
/// let grid = TimeGrid::new(GridKind::Karras, 10, &schedule)?;
/// let z_1 = Tensor::<4>::full([1, 1, 2, 2], 60.0, &Device::flex());
/// let solution = solve(&model, &Ddim, &schedule, &grid, z_1, &[0.0])?;
/// let largest = solution.states[0].clone().abs().max().into_scalar::<f32>();
/// assert!(largest < 1e-2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A network of the EDM kind, which predicts the image, conditioned on `ln(σ)/4`:
///
/// ```
/// use burn::tensor::Tensor;
/// use dsno_ode::{Conditioned, Conditioning, Prediction};
///
/// let network = |x: Tensor<4>, noise: f64| x * (-noise).exp();
/// let model = Conditioned::new(Conditioning::sigma(), Prediction::X, move |x, sigma| {
///     network(x, sigma.ln() / 4.0)
/// });
/// assert_eq!(model.prediction(), Prediction::X);
/// ```
#[derive(Clone)]
pub struct Conditioned<F> {
    conditioning: Conditioning,
    prediction: Prediction,
    network: F,
}

impl<F> Conditioned<F>
where
    F: Fn(Tensor<4>, f64) -> Tensor<4>,
{
    /// Makes a denoiser of a network `(z, value) → output`.
    pub const fn new(conditioning: Conditioning, prediction: Prediction, network: F) -> Self {
        Self {
            conditioning,
            prediction,
            network,
        }
    }

    /// Returns what the network is conditioned on.
    pub const fn conditioning(&self) -> &Conditioning {
        &self.conditioning
    }

    /// Returns what the network predicts.
    pub const fn prediction(&self) -> Prediction {
        self.prediction
    }
}

impl<F> Denoiser for Conditioned<F>
where
    F: Fn(Tensor<4>, f64) -> Tensor<4>,
{
    fn denoise(&self, z_t: Tensor<4>, at: NoiseLevel) -> Tensor<4> {
        let seen = self.conditioning.level(at.log_snr());
        let factor = seen.scale() / at.scale();
        let z = if seen == at { z_t } else { z_t * factor };
        let output = (self.network)(z.clone(), self.conditioning.value(at.log_snr()));
        self.prediction.to_x(output, z, seen)
    }
}

debug_without_closure!(Conditioned<F>, conditioning, prediction);
