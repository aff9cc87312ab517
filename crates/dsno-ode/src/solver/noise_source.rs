use burn::tensor::Tensor;

use super::StepError;
use crate::Step;

/// Gives the normal noise that a stochastic solver adds in its steps.
///
/// The caller owns the randomness: a run that draws one seeded stream per sample stays repeatable
/// whatever the batch it is solved in. The noise of a step depends on the step's number only, so that
/// a step can be taken again, to another end, with the same noise.
///
/// Closures `(step, like) → noise` are noise sources.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use dsno_ode::solver::NoiseSource;
///
/// // All noise drawn before the solve, so that the noise of step 3 never changes.
/// let device = Device::flex();
/// let shape = [2, 1, 4, 4];
/// let drawn: Vec<_> = (0..8)
///     .map(|_| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device))
///     .collect();
/// let source = |step: usize, _like: &Tensor<4>| drawn[step].clone();
///
/// let like = Tensor::<4>::zeros(shape, &device);
/// let (first, again) = (source.noise(3, &like), source.noise(3, &like));
/// assert_eq!((first - again).abs().max().into_scalar::<f32>(), 0.0);
/// ```
pub trait NoiseSource {
    /// Returns the noise of step `step` (from 0).
    ///
    /// # Shapes
    ///
    /// | value    | shape          | range and unit                                        |
    /// |----------|----------------|-------------------------------------------------------|
    /// | `like`   | `[B, C, H, W]` | the state before the step                             |
    /// | returned | `[B, C, H, W]` | standard normal, float type and device of `like`      |
    fn noise(&self, step: usize, like: &Tensor<4>) -> Tensor<4>;
}

impl<F> NoiseSource for F
where
    F: Fn(usize, &Tensor<4>) -> Tensor<4>,
{
    fn noise(&self, step: usize, like: &Tensor<4>) -> Tensor<4> {
        self(step, like)
    }
}

/// Draws the noise of a step and refuses what would be broadcast.
pub(super) fn noise_for(
    source: &impl NoiseSource,
    step: &Step<'_>,
    like: &Tensor<4>,
) -> Result<Tensor<4>, StepError> {
    let noise = source.noise(step.index(), like);
    if noise.dims() == like.dims() {
        return Ok(noise);
    }
    Err(StepError::NoiseShape {
        state: like.dims(),
        noise: noise.dims(),
    })
}
