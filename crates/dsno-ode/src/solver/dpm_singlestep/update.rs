use burn::tensor::Tensor;

use crate::solver::exponential::Interval;
use crate::solver::{SMALLEST_SIGMA, same_shape};
use crate::{Form, NoiseLevel, SecondOrder, StepError};

/// Moves a batch one step of DPM-Solver-1 with a prediction made at its start.
///
/// Both forms are the step of [`ddim_step`](crate::ddim_step); this one takes either prediction.
///
/// ```text
/// z_s = σ_s/σ_t z_t + α_s (1 − e^−h) x̂        Form::Data        h = (λ_s − λ_t)/2
/// z_s = α_s/α_t z_t − σ_s (e^h − 1) ε̂         Form::Noise
/// ```
///
/// Lu et al. 2022 (arXiv:2206.00927), section on high-order solvers. Both hold at `σ_s = 0`.
///
/// # Shapes
///
/// | value        | shape          | range and unit                                    |
/// |--------------|----------------|---------------------------------------------------|
/// | `z_t`        | `[B, C, H, W]` | noisy state, pixel units                          |
/// | `prediction` | `[B, C, H, W]` | `x̂` or `ε̂` at the start, as the form says         |
/// | returned     | `[B, C, H, W]` | noisy state at `to`                               |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if `from` has `σ < 1e-12`.
/// * [`StepError::ShapeMismatch`] if `z_t` and `prediction` differ in shape.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Form, Prediction, dpm_solver_1_step};
///
/// let (from, to) = (NoiseLevel::from_log_snr(-2.0), NoiseLevel::from_log_snr(3.0));
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.7, &Device::flex());
/// let x_hat = z_t.clone() * 0.4;
/// let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z_t.clone(), from);
/// let data = dpm_solver_1_step(Form::Data, z_t.clone(), x_hat, from, to)?;
/// let noise = dpm_solver_1_step(Form::Noise, z_t, eps_hat, from, to)?;
/// assert!((data - noise).into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn dpm_solver_1_step(
    form: Form,
    z_t: Tensor<4>,
    prediction: Tensor<4>,
    from: NoiseLevel,
    to: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    check(&z_t, std::slice::from_ref(&prediction), from)?;
    Ok(Interval::new(form, from, to).cross(z_t, &[prediction], &[], &[]))
}

/// Moves a batch one step of DPM-Solver-2 or DPM-Solver++ 2S.
///
/// ```text
/// D   = (m₁ − m₀)/r₁                            slope of the prediction over the whole step
/// z_s = σ_s/σ_t z_t + α_s [ (1 − e^−h) m₀ + w D ]         Form::Data
/// z_s = α_s/α_t z_t − σ_s [ (e^h − 1) m₀ + w D ]          Form::Noise
///
/// w   = half the weight of m₀                   SecondOrder::Midpoint
/// w   = 1 − (1 − e^−h)/h,  (e^h − 1)/h − 1      SecondOrder::Heun
/// ```
///
/// Lu et al. 2022 (arXiv:2206.00927), Algorithm 1 and its form for any `r₁` in the appendix, and
/// (arXiv:2211.01095), Algorithm 1. A step to `σ_s = 0` has no inner level: it uses `m₀` alone.
///
/// # Shapes
///
/// | value         | shape               | range and unit                                     |
/// |---------------|---------------------|----------------------------------------------------|
/// | `z_t`         | `[B, C, H, W]`      | noisy state, pixel units                           |
/// | `predictions` | `[B, C, H, W]` each | `x̂` or `ε̂` at the start and at fraction `r1` in `λ` |
/// | returned      | `[B, C, H, W]`      | noisy state at `to`                                |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if `from` has `σ < 1e-12`.
/// * [`StepError::ShapeMismatch`] if a prediction differs from `z_t` in shape.
///
/// # Examples
///
/// Equal predictions make it a step of first order.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Form, SecondOrder, ddim_step, dpm_solver_2_step};
///
/// let (from, to) = (NoiseLevel::from_log_snr(-2.0), NoiseLevel::from_log_snr(3.0));
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.7, &Device::flex());
/// let x_hat = z_t.clone() * 0.4;
/// let pair = &[x_hat.clone(), x_hat.clone()];
/// let rule = SecondOrder::Midpoint;
/// let second = dpm_solver_2_step(Form::Data, rule, z_t.clone(), pair, 0.5, from, to)?;
/// let first = ddim_step(z_t, x_hat, from, to)?;
/// assert!((second - first).into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn dpm_solver_2_step(
    form: Form,
    rule: SecondOrder,
    z_t: Tensor<4>,
    predictions: &[Tensor<4>; 2],
    r1: f64,
    from: NoiseLevel,
    to: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    check(&z_t, predictions, from)?;
    let interval = Interval::new(form, from, to);
    if interval.length().is_infinite() {
        return Ok(interval.cross(z_t, &predictions[..1], &[], &[]));
    }
    let weight = match rule {
        SecondOrder::Midpoint => 0.5 * interval.moment(0),
        SecondOrder::Heun => interval.moment(1),
    };
    Ok(interval.cross(z_t, predictions, &[r1], &[weight]))
}

/// Moves a batch one step of DPM-Solver-3 or DPM-Solver++ 3S.
///
/// The prediction is taken for a polynomial in `λ` and integrated exactly: the straight line through
/// `m₀` and `m₂`, which with `r₂ = 2/3` is enough for order 3, or the parabola through all three.
///
/// ```text
/// z_s = σ_s/σ_t z_t + α_s h [ φ₁(−h) m₀ + φ₂(−h) D + φ₃(−h) E ]         Form::Data
/// z_s = α_s/α_t z_t − σ_s h [ φ₁(h) m₀ + φ₂(h) D + φ₃(h) E ]            Form::Noise
///
/// D = (m₂ − m₀)/r₂,  E = 0                                              SecondOrder::Midpoint
/// D, E = slope at the start and curvature of the parabola               SecondOrder::Heun
/// φ₁(x) = (e^x − 1)/x,  φ₂(x) = (φ₁(x) − 1)/x,  φ₃(x) = (φ₂(x) − ½)/x
/// ```
///
/// Lu et al. 2022 (arXiv:2206.00927), Algorithm 2, is the first; the second is the Taylor variant of
/// the authors' code. A step to `σ_s = 0` has no inner level: it uses `m₀` alone.
///
/// # Shapes
///
/// | value         | shape               | range and unit                                         |
/// |---------------|---------------------|--------------------------------------------------------|
/// | `z_t`         | `[B, C, H, W]`      | noisy state, pixel units                               |
/// | `predictions` | `[B, C, H, W]` each | `x̂` or `ε̂` at the start and at fractions `nodes` in `λ` |
/// | returned      | `[B, C, H, W]`      | noisy state at `to`                                    |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if `from` has `σ < 1e-12`.
/// * [`StepError::ShapeMismatch`] if a prediction differs from `z_t` in shape.
///
/// # Examples
///
/// Equal predictions make it a step of first order.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::{NoiseLevel, Form, SecondOrder, ddim_step, dpm_solver_3_step};
///
/// let (from, to) = (NoiseLevel::from_log_snr(-2.0), NoiseLevel::from_log_snr(3.0));
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.7, &Device::flex());
/// let x_hat = z_t.clone() * 0.4;
/// let same = &[x_hat.clone(), x_hat.clone(), x_hat.clone()];
/// let (rule, nodes) = (SecondOrder::Heun, [1.0 / 3.0, 2.0 / 3.0]);
/// let third = dpm_solver_3_step(Form::Data, rule, z_t.clone(), same, nodes, from, to)?;
/// let first = ddim_step(z_t, x_hat, from, to)?;
/// assert!((third - first).into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn dpm_solver_3_step(
    form: Form,
    rule: SecondOrder,
    z_t: Tensor<4>,
    predictions: &[Tensor<4>; 3],
    nodes: [f64; 2],
    from: NoiseLevel,
    to: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    check(&z_t, predictions, from)?;
    let interval = Interval::new(form, from, to);
    if interval.length().is_infinite() {
        return Ok(interval.cross(z_t, &predictions[..1], &[], &[]));
    }
    let [m_0, _, m_2] = predictions;
    Ok(match rule {
        SecondOrder::Midpoint => {
            let line = [m_0.clone(), m_2.clone()];
            interval.cross(z_t, &line, &nodes[1..], &[interval.moment(1)])
        }
        SecondOrder::Heun => {
            let moments = [interval.moment(1), interval.moment(2)];
            interval.cross(z_t, predictions, &nodes, &moments)
        }
    })
}

fn check(z_t: &Tensor<4>, predictions: &[Tensor<4>], from: NoiseLevel) -> Result<(), StepError> {
    if from.sigma() < SMALLEST_SIGMA {
        return Err(StepError::NoiselessStart {
            sigma: from.sigma(),
            log_snr: from.log_snr(),
        });
    }
    predictions
        .iter()
        .try_for_each(|prediction| same_shape(z_t, prediction))
}
