//! How to take one step of the probability-flow ODE.
//!
//! A solver is a formula for one interval `from → to` in noise level; the loop over a grid, the
//! recording and the counting are in [`solve`](crate::solve). One file per solver.

mod ddim;

pub use ddim::{Ddim, ddim_step};

use burn::tensor::Tensor;

use crate::{Amplitudes, Denoiser};

/// Moves a batch of states from one noise level to another.
///
/// A step is a pure function over an interval: what a multistep method remembers goes in and comes
/// out as a value of type [`Memory`](Self::Memory), so that a solver itself never changes and can be
/// shared. Steps are told noise levels, not times: the flow depends on the schedule only through
/// them.
///
/// # Examples
///
/// A solver that takes every interval in two DDIM steps, halving it in `λ`.
///
/// ```
/// use burn::tensor::Tensor;
/// use dsno_ode::{Amplitudes, Ddim, Denoiser, Solver, StepError};
///
/// struct Halved;
///
/// impl Solver for Halved {
///     type Memory = ();
///
///     fn name(&self) -> &'static str {
///         "halved-ddim"
///     }
///
///     fn order(&self) -> usize {
///         1
///     }
///
///     fn calls_per_step(&self) -> usize {
///         2
///     }
///
///     fn start(&self) {}
///
///     fn step(
///         &self,
///         model: &dyn Denoiser,
///         z_t: Tensor<4>,
///         from: Amplitudes,
///         to: Amplitudes,
///         memory: (),
///     ) -> Result<(Tensor<4>, ()), StepError> {
///         let middle = Amplitudes::from_log_snr(0.5 * (from.log_snr() + to.log_snr()));
///         let (z_m, memory) = Ddim.step(model, z_t, from, middle, memory)?;
///         Ddim.step(model, z_m, middle, to, memory)
///     }
/// }
///
/// assert_eq!(Halved.calls_per_step(), 2 * Ddim.calls_per_step());
/// ```
pub trait Solver {
    /// What a step hands to the next one: earlier predictions, or `()`.
    type Memory;

    /// Returns the name by which files and reports call this solver.
    fn name(&self) -> &'static str;

    /// Returns the order `p` of the global error, `O(hᵖ)` in the step `h`.
    fn order(&self) -> usize;

    /// Returns the number of model calls that one step costs.
    fn calls_per_step(&self) -> usize;

    /// Returns the memory before the first step.
    fn start(&self) -> Self::Memory;

    /// Moves `z_t` from level `from` to level `to`.
    ///
    /// # Shapes
    ///
    /// `z_t` and the returned state are `[B, C, H, W]`, in pixel units.
    ///
    /// # Errors
    ///
    /// * [`StepError::NoiselessStart`] if the method cannot start from `from` because it has no noise.
    /// * [`StepError::ShapeMismatch`] if the model answers with another shape than it was given.
    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        from: Amplitudes,
        to: Amplitudes,
        memory: Self::Memory,
    ) -> Result<(Tensor<4>, Self::Memory), StepError>;
}

/// Why a single step could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The step starts where there is no noise, so the noise in the state is 0/0.
    #[error(
        "a step cannot start from a state without noise: σ is {sigma:e} at log-SNR {log_snr}, \
         expected at least 1e-12; start the grid at a noisier time"
    )]
    NoiselessStart {
        /// `σ` at the start of the step.
        sigma: f64,
        /// `λ` at the start of the step, in nats.
        log_snr: f64,
    },
    /// The model's prediction does not have the shape of the state.
    #[error(
        "the model predicts shape {prediction:?} for a state of shape {state:?}, expected the same"
    )]
    ShapeMismatch {
        /// `[B, C, H, W]` of the state.
        state: [usize; 4],
        /// `[B, C, H, W]` of the prediction.
        prediction: [usize; 4],
    },
}
