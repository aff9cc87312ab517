//! Explicit Runge–Kutta methods in the schedule's own time: one stepper, one tableau per method.
//!
//! A new method is an entry of [`runge_kutta`]: its documentation, name, order and tableau.

use burn::tensor::Tensor;

use super::{Solver, StepError, Stepped, predict};
use crate::{Denoiser, Prediction, Schedule, Step};

/// Returns the derivative `dz/dt` of the probability-flow ODE at time `t` of the schedule.
///
/// It costs one model call. The methods that integrate the ODE in the schedule's own time
/// ([`Euler`](crate::Euler), [`Heun`](crate::Heun), [`Rk4`](crate::Rk4)) use nothing else.
///
/// ```text
/// dz/dt = α′(t) x̂ + σ′(t) ε̂          ε̂ = (z − α x̂)/σ
/// ```
///
/// With `α = 1` and `σ` proportional to `t` this is the slope of Karras et al. 2022
/// (arXiv:2206.00364), Algorithm 1.
///
/// # Shapes
///
/// | value    | shape          | range and unit                     |
/// |----------|----------------|------------------------------------|
/// | `z_t`    | `[B, C, H, W]` | noisy state, pixel units           |
/// | returned | `[B, C, H, W]` | pixel units per unit of time       |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if there is no noise at `t`: the slope is infinite or unknown.
/// * [`StepError::ShapeMismatch`] if the prediction has another shape than the state.
///
/// # Examples
///
/// Images that are standard normal: the flow leaves every state where it is.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{CosineSchedule, from_fn};
/// use dsno_ode::solver::ode_derivative;
///
/// let model = from_fn(|z_t, at| z_t * at.alpha());
/// let z_t = Tensor::<4>::ones([1, 1, 1, 1], &Device::flex());
/// let rate = ode_derivative(&model, &z_t, &CosineSchedule::default(), 0.3)?;
/// assert!(rate.into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn ode_derivative(
    model: &dyn Denoiser,
    z_t: &Tensor<4>,
    schedule: &dyn Schedule,
    t: f64,
) -> Result<Tensor<4>, StepError> {
    let at = schedule.at(t);
    let x_hat = predict(model, z_t, at)?;
    let (alpha_rate, sigma_rate) = schedule.rates(t);
    let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z_t.clone(), at);
    Ok(x_hat * alpha_rate + eps_hat * sigma_rate)
}

/// The Butcher tableau of an explicit method, as textbooks print it.
///
/// ```text
/// k_i = f(t + c_i h, z_t + h Σ_j a_ij k_j)        z_s = z_t + h Σ_i b_i k_i        c_i = Σ_j a_ij
/// ```
///
/// The rows are the `a_ij` of the stages after the first, then `b`.
struct Tableau(&'static [Row]);

/// Numerators over a common denominator.
type Row = (&'static [f64], f64);

impl Tableau {
    /// Returns the model calls of a step. A step that ends without noise is one of Euler's: there is
    /// no derivative at its end.
    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() {
            1
        } else {
            self.0.len()
        }
    }

    /// Takes one step.
    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>) -> Stepped<()> {
        let h = step.s() - step.t();
        let mut slopes = vec![ode_derivative(model, &z_t, step.schedule(), step.t())?];
        if step.ends_without_noise() {
            return Ok((moved(z_t, &slopes, (&[1.0], 1.0), h), ()));
        }
        let (last, inner) = self
            .0
            .split_last()
            .expect("invariant: every tableau has weights");
        for &(numerators, denominator) in inner {
            let node = numerators.iter().sum::<f64>() / denominator;
            let t = if node < 1.0 {
                step.t() + node * h
            } else {
                step.s()
            };
            let z = moved(z_t.clone(), &slopes, (numerators, denominator), h);
            slopes.push(ode_derivative(model, &z, step.schedule(), t)?);
        }
        Ok((moved(z_t, &slopes, *last, h), ()))
    }
}

/// Returns `z + h Σ_i numerators_i k_i / denominator`.
///
/// Slopes of equal numerators are added before they are multiplied, and 1 is not multiplied with, so
/// that a step costs no more tensor operations than its formula written by hand.
fn moved(z: Tensor<4>, slopes: &[Tensor<4>], (numerators, denominator): Row, h: f64) -> Tensor<4> {
    let terms: Vec<(f64, &Tensor<4>)> = numerators.iter().copied().zip(slopes).collect();
    let sums = terms
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|group| group[0].0 != 0.0);
    let sum = sums.map(|group| {
        let slopes = group.iter().map(|&(_, slope)| slope.clone());
        let sum = slopes
            .reduce(|sum, slope| sum + slope)
            .expect("invariant: a group has a member");
        if group[0].0 == 1.0 {
            sum
        } else {
            sum * group[0].0
        }
    });
    match sum.reduce(|sum, term| sum + term) {
        Some(sum) => z + sum * (h / denominator),
        None => z,
    }
}

/// Declares the methods: a unit struct each, and its [`Solver`].
macro_rules! runge_kutta {
    ($($(#[$doc:meta])+ $method:ident = $name:literal, order $order:literal, [$($row:expr),+];)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
            pub struct $method;

            impl $method {
                const TABLEAU: Tableau = Tableau(&[$($row),+]);
            }

            impl Solver for $method {
                type Memory = ();

                fn name(&self) -> String {
                    $name.to_owned()
                }

                fn order(&self) -> usize {
                    $order
                }

                fn calls(&self, step: &Step<'_>) -> usize {
                    Self::TABLEAU.calls(step)
                }

                fn step(
                    &self,
                    model: &dyn Denoiser,
                    z_t: Tensor<4>,
                    step: &Step<'_>,
                    (): (),
                ) -> Stepped<()> {
                    Self::TABLEAU.step(model, z_t, step)
                }
            }
        )+
    };
}

runge_kutta! {
    /// Euler's method in the schedule's own time: first order, one model call per step.
    ///
    /// The time matters. On a schedule whose time is `σ/α` (variance exploding, as in EDM) a step is
    /// exactly that of [`Ddim`](crate::Ddim). On a cosine schedule the state moves along a circle and
    /// Euler follows the tangent. Where the noise starts like `σ ∝ √t` (linear β), `σ′` is infinite at
    /// `t = 0`; the slope `σ′ ε̂` stays finite only if the data have a smooth density, as the Gaussian
    /// mixture has, on which the order holds there too.
    ///
    /// ```text
    /// z_s = z_t + (s − t) dz/dt            dz/dt = α′ x̂ + σ′ ε̂ at t, see ode_derivative
    /// ```
    ///
    /// Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 without its correction, for any schedule.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{Euler, Solver};
    ///
    /// assert_eq!((Euler.name().as_str(), Euler.order()), ("euler", 1));
    /// ```
    Euler = "euler", order 1, [(&[1.0], 1.0)];

    /// Heun's method in the schedule's own time, the deterministic sampler of EDM: second order.
    ///
    /// An Euler step is corrected with the slope at its end: two model calls. A step that ends without
    /// noise has no slope there and stays Euler, one call; `n` steps to `σ = 0` cost `2n − 1`.
    ///
    /// ```text
    /// z′  = z_t + (s − t) d                 d  = dz/dt at t, see ode_derivative
    /// z_s = z_t + (s − t)(d + d′)/2         d′ = dz/dt at s, in z′
    /// ```
    ///
    /// Karras et al. 2022 (arXiv:2206.00364), Algorithm 1, written for any schedule. EDM itself is this
    /// solver on a variance-exploding schedule with `σ` proportional to `t`, over Karras's grid. The
    /// stochastic sampler of the paper is [`StochasticHeun`](crate::StochasticHeun).
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{CosineSchedule, Heun, LinearBetaSchedule, Solver, Step};
    ///
    /// let (cosine, linear) = (CosineSchedule::default(), LinearBetaSchedule::default());
    /// assert_eq!((Heun.name().as_str(), Heun.order()), ("heun", 2));
    /// assert_eq!(Heun.calls(&Step::alone(&cosine, 0.5, 0.0)), 2);
    /// assert_eq!(Heun.calls(&Step::alone(&linear, 0.5, 0.0)), 1);
    /// ```
    Heun = "heun", order 2, [(&[1.0], 1.0), (&[1.0, 1.0], 2.0)];

    /// The classic Runge–Kutta method in the schedule's own time: fourth order, four model calls.
    ///
    /// Its order needs a slope that is smooth in time. A step that ends without noise has no slope at its
    /// end and is one of [`Euler`](crate::Euler), one call: a grid that ends there, as linear β does at
    /// `t = 0`, is of order 2 as a whole.
    ///
    /// ```text
    /// m   = (t + s)/2,  h = s − t           f = dz/dt, see ode_derivative
    /// k₁  = f(z_t, t)                       k₂ = f(z_t + h/2 k₁, m)
    /// k₃  = f(z_t + h/2 k₂, m)              k₄ = f(z_t + h k₃, s)
    /// z_s = z_t + h/6 (k₁ + 2k₂ + 2k₃ + k₄)
    /// ```
    ///
    /// Kutta 1901, "Beitrag zur näherungsweisen Integration totaler Differentialgleichungen".
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_ode::{CosineSchedule, Rk4, Solver, Step};
    ///
    /// let schedule = CosineSchedule::default();
    /// assert_eq!((Rk4.name().as_str(), Rk4.order()), ("rk4", 4));
    /// assert_eq!(Rk4.calls(&Step::alone(&schedule, 0.5, 0.25)), 4);
    /// ```
    Rk4 = "rk4", order 4, [
        (&[1.0], 2.0),
        (&[0.0, 1.0], 2.0),
        (&[0.0, 0.0, 1.0], 1.0),
        (&[1.0, 2.0, 2.0, 1.0], 6.0)
    ];
}

#[cfg(test)]
mod tests;
