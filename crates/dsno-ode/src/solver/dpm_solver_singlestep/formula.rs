use burn::tensor::Tensor;

use crate::NoiseLevel;
use crate::solver::exponential::Interval;
use crate::solver::{AlgorithmType, SolverType, StepError, check_start, same_shape};

/// Moves a batch one step of a single-step DPM-Solver, from the predictions made in it.
///
/// The number of predictions is the number of the method: DPM-Solver-1, -2, -3 or DPM-Solver++ 1S, 2S,
/// 3S. The first is made at the start, the others at `nodes`, which are fractions of the step in `λ`.
///
/// ```text
/// z_s = σ_s/σ_t z_t + α_s h [ φ₁(−h) m₀ + W ]        AlgorithmType::DpmSolverPlusPlus, h = (λ_s − λ_t)/2
/// z_s = α_s/α_t z_t − σ_s h [ φ₁(h) m₀ + W ]         AlgorithmType::DpmSolver
///
/// 1   W = 0                                           the step of ddim_step, for either prediction
/// 2   W = φ₁ D/2,  D = (m₁ − m₀)/r₁                    SolverType::Midpoint
///     W = φ₂ D                                        SolverType::Heun
/// 3   W = φ₂ D,    D = (m₂ − m₀)/r₂                    SolverType::Midpoint
///     W = φ₂ D + φ₃ E                                 SolverType::Heun: D, E are slope at the start and
///                                                     curvature of the parabola through m₀, m₁, m₂
/// φ₁(x) = (e^x − 1)/x,  φ₂(x) = (φ₁(x) − 1)/x,  φ₃(x) = (φ₂(x) − ½)/x
/// ```
///
/// With three predictions, the prediction is taken for a polynomial in `λ` and integrated exactly: the
/// straight line through `m₀` and `m₂`, which with `r₂ = 2/3` is enough for order 3, or the parabola.
/// A step to `σ_s = 0` has no inner level: it uses `m₀` alone.
///
/// Lu et al. 2022 (arXiv:2206.00927), Algorithms 1 and 2, and the form for any `r₁` in the appendix;
/// (arXiv:2211.01095), Algorithm 1. The parabola is the Taylor variant of the authors' code.
///
/// # Shapes
///
/// | value         | shape               | range and unit                                     |
/// |---------------|---------------------|----------------------------------------------------|
/// | `z_t`         | `[B, C, H, W]`      | noisy state, pixel units                           |
/// | `predictions` | `[B, C, H, W]` each | one to three: `x̂` or `ε̂`, as the algorithm says    |
/// | `nodes`       | one less            | in `(0, 1)`, rising                                |
/// | returned      | `[B, C, H, W]`      | noisy state at `to`                                |
///
/// # Errors
///
/// * [`StepError::NoiselessStart`] if `from` has `σ < 1e-12`.
/// * [`StepError::ShapeMismatch`] if a prediction differs from `z_t` in shape.
///
/// # Panics
///
/// Unless there are one to three predictions and one node less.
///
/// # Examples
///
/// Both algorithms agree at first order, and equal predictions make every step one of first order.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::solver::{SolverType, ddim_step, dpm_solver_step};
/// use dsno_ode::{AlgorithmType, NoiseLevel, Prediction};
///
/// let (from, to) = (NoiseLevel::from_log_snr(-2.0), NoiseLevel::from_log_snr(3.0));
/// let z_t = Tensor::<4>::full([1, 1, 1, 1], 0.7, &Device::flex());
/// let x_hat = z_t.clone() * 0.4;
/// let eps_hat = Prediction::X.to_epsilon(x_hat.clone(), z_t.clone(), from);
/// let first = ddim_step(z_t.clone(), x_hat.clone(), from, to)?;
///
/// let nodes = [1.0 / 3.0, 2.0 / 3.0];
/// for (algorithm_type, prediction) in
///     [(AlgorithmType::DpmSolverPlusPlus, x_hat), (AlgorithmType::DpmSolver, eps_hat)]
/// {
///     for count in 1..=3 {
///         let same = vec![prediction.clone(); count];
///         let (z_t, nodes) = (z_t.clone(), &nodes[..count - 1]);
///         let heun = SolverType::Heun;
///         let z_s = dpm_solver_step(algorithm_type, heun, z_t, &same, nodes, from, to)?;
///         assert!((z_s - first.clone()).into_scalar::<f32>().abs() < 1e-6);
///     }
/// }
/// # Ok::<(), dsno_ode::StepError>(())
/// ```
pub fn dpm_solver_step(
    algorithm_type: AlgorithmType,
    solver_type: SolverType,
    z_t: Tensor<4>,
    predictions: &[Tensor<4>],
    nodes: &[f64],
    from: NoiseLevel,
    to: NoiseLevel,
) -> Result<Tensor<4>, StepError> {
    assert_eq!(
        predictions.len(),
        nodes.len() + 1,
        "predictions for nodes {nodes:?}"
    );
    check_start(from)?;
    predictions
        .iter()
        .try_for_each(|prediction| same_shape(&z_t, prediction))?;
    let interval = Interval::new(algorithm_type, from, to);
    if interval.length().is_infinite() {
        return Ok(interval.cross(z_t, &predictions[..1], &[], &[]));
    }
    Ok(match (predictions, solver_type) {
        ([_], _) => interval.cross(z_t, predictions, &[], &[]),
        ([_, _], _) => interval.cross(z_t, predictions, nodes, &[interval.slope(solver_type)]),
        ([m_0, _, m_2], SolverType::Midpoint) => {
            let line = [m_0.clone(), m_2.clone()];
            interval.cross(z_t, &line, &nodes[1..], &[interval.moment(1)])
        }
        ([_, _, _], SolverType::Heun) => {
            let moments = [interval.moment(1), interval.moment(2)];
            interval.cross(z_t, predictions, nodes, &moments)
        }
        _ => panic!("{} predictions, expected one to three", predictions.len()),
    })
}
