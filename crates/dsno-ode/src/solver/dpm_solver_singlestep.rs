//! The single-step DPM-Solvers: one family for both algorithms, three orders, free inner nodes.
//!
//! `fast` splits a number of model calls into steps of different orders.

mod fast;

pub use fast::DpmSolverFast;

use burn::tensor::Tensor;

use super::exponential::Interval;
use super::{
    AlgorithmType, Solver, SolverOptionError, SolverOrder, SolverType, StepError, Stepped,
    check_start, same_shape,
};
use crate::{Denoiser, NoiseLevel, Step};

/// The single-step DPM-Solvers: as many model calls per step as the order, and no memory.
///
/// | order | [`AlgorithmType::DpmSolver`] | [`AlgorithmType::DpmSolverPlusPlus`] | inner levels, in `λ` |
/// |-------|-----------------------------|-----------------------------------|----------------------|
/// | 1     | DPM-Solver-1, which is DDIM | DPM-Solver++ 1S, which is DDIM    | none                 |
/// | 2     | DPM-Solver-2                | DPM-Solver++ 2S                   | 1/2                  |
/// | 3     | DPM-Solver-3                | DPM-Solver++ 3S                   | 1/3, 2/3             |
///
/// The formulas are those of [`dpm_solver_step`]; inner states are reached by the same formulas of
/// lower order. A step that ends without noise is
/// infinitely long in `λ`, has no inner levels and is of first order. Lu et al. 2022
/// (arXiv:2206.00927), Algorithms 1 and 2, and (arXiv:2211.01095), Algorithm 1.
///
/// # Inner nodes
///
/// [`SinglestepNodes`] places the inner levels elsewhere. Published code (diffusers'
/// `DPMSolverSinglestepScheduler`) takes them at the points of the grid on which it counts calls, and
/// reaches the second of them by the midpoint formula; [`DpmSolverFast::on_grid`] does the same, to
/// the last digit. It is rarely a good idea: order 3 needs the second node at exactly 2/3, so
/// grid nodes cost an order wherever the grid is not uniform in `λ`, and the noise form becomes
/// unstable where steps in `λ` shrink quickly. Largest error at `t = 0` on a Gaussian mixture in the
/// plane, cosine schedule, `λ` from −20 to 20, grid uniform in `t`, 30 and 120 calls:
///
/// | solver          | nodes of the paper, 30 | of the grid, 30 | of the paper, 120 | of the grid, 120 |
/// |-----------------|------------------------|-----------------|-------------------|------------------|
/// | DPM-Solver++ 2S | 0.038                  | 0.083           | 0.0033            | 0.0046           |
/// | DPM-Solver++ 3S | 0.049                  | 0.28            | 0.0034            | 0.019            |
/// | DPM-Solver-2    | 0.044                  | 2.7             | 0.0035            | 0.14             |
/// | DPM-Solver-3    | 0.13                   | 1.2e3           | 0.0071            | 7.3              |
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, DpmSolverSinglestep, AlgorithmType, Solver, SolverOrder, Step};
///
/// let solver = DpmSolverSinglestep::new(AlgorithmType::DpmSolverPlusPlus, SolverOrder::Second);
/// assert_eq!(solver.name(), "dpm-solver++-2s");
/// assert_eq!(solver.calls(&Step::alone(&CosineSchedule::default(), 0.5, 0.25)), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSolverSinglestep {
    /// Which prediction is interpolated.
    pub algorithm_type: AlgorithmType,
    /// How the last stage is weighted, which order 1 does not have.
    pub solver_type: SolverType,
    /// The number of model calls per step and their levels.
    pub nodes: SinglestepNodes,
}

impl DpmSolverSinglestep {
    /// Makes the published solver: inner nodes of the papers, [`SolverType::Midpoint`].
    pub const fn new(algorithm_type: AlgorithmType, order: SolverOrder) -> Self {
        let nodes = SinglestepNodes::of(order);
        Self {
            algorithm_type,
            solver_type: SolverType::Midpoint,
            nodes,
        }
    }
}

impl Solver for DpmSolverSinglestep {
    type Memory = ();

    fn name(&self) -> String {
        let (family, calls) = (self.algorithm_type.family(), self.nodes.calls());
        let single = match self.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => "s",
            AlgorithmType::DpmSolver => "",
        };
        let solver_type = match self.solver_type {
            SolverType::Heun if calls > 1 => "-heun",
            _ => "",
        };
        format!(
            "{family}-{calls}{single}{solver_type}{}",
            self.nodes.suffix()
        )
    }

    fn order(&self) -> usize {
        self.nodes.order()
    }

    fn calls(&self, step: &Step<'_>) -> usize {
        if step.ends_without_noise() {
            1
        } else {
            self.nodes.calls()
        }
    }

    fn step(&self, model: &dyn Denoiser, z_t: Tensor<4>, step: &Step<'_>, (): ()) -> Stepped<()> {
        let (algorithm_type, from) = (self.algorithm_type, step.from());
        let (nodes, reached_by) = self.nodes.inner();
        let nodes = &nodes[..self.calls(step) - 1];
        let mut predictions = vec![algorithm_type.predict(model, &z_t, from)?];
        let go = |solver_type, predictions: &[Tensor<4>], nodes: &[f64], to| {
            let z_t = z_t.clone();
            dpm_solver_step(
                algorithm_type,
                solver_type,
                z_t,
                predictions,
                nodes,
                from,
                to,
            )
        };
        for (i, &node) in nodes.iter().enumerate() {
            let inner = step.inside(node);
            let positions: Vec<f64> = nodes[..i].iter().map(|earlier| earlier / node).collect();
            let z = go(reached_by, &predictions, &positions, inner)?;
            predictions.push(algorithm_type.predict(model, &z, inner)?);
        }
        Ok((go(self.solver_type, &predictions, nodes, step.to())?, ()))
    }
}

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
    Ok(match (predictions, solver_type) {
        _ if interval.length().is_infinite() => interval.cross(z_t, &predictions[..1], &[], &[]),
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

/// How many model calls a single-step DPM-Solver makes in a step, and at which levels.
///
/// A node is a fraction of the step in `λ`, the paper's `r₁` and `r₂`. The published nodes are what
/// [`of`](Self::of) gives; order 2 is kept for every node, order 3 only while the second is 2/3.
///
/// # Examples
///
/// ```
/// use dsno_ode::SolverOrder;
/// use dsno_ode::solver::{SinglestepNodes, SolverOptionError};
///
/// let published = SinglestepNodes::of(SolverOrder::Third);
/// assert_eq!((published.calls(), published.order()), (3, 3));
/// assert_eq!(SinglestepNodes::third_at(1.0 / 3.0, 2.0 / 3.0)?, published);
/// assert_eq!(SinglestepNodes::third_at(0.25, 0.5)?.order(), 2);
/// assert!(SinglestepNodes::second_at(1.0).is_err());
/// # Ok::<(), SolverOptionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinglestepNodes {
    calls: SolverOrder,
    /// `r₁` and `r₂`; 1, the end of the step, in place of those that the method does not have.
    inner: [f64; 2],
    /// The formula that leads to the second node.
    reached_by: SolverType,
}

impl SinglestepNodes {
    /// Returns the published nodes of an order: none, 1/2, or 1/3 and 2/3.
    pub const fn of(order: SolverOrder) -> Self {
        let inner = match order {
            SolverOrder::First => [1.0, 1.0],
            SolverOrder::Second => [0.5, 1.0],
            SolverOrder::Third => [1.0 / 3.0, TWO_THIRDS],
        };
        Self {
            calls: order,
            inner,
            reached_by: SolverType::Heun,
        }
    }

    /// Makes two calls per step, the second at `r1`.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::InnerNodes`] unless `0 < r1 < 1`.
    pub fn second_at(r1: f64) -> Result<Self, SolverOptionError> {
        Self::of(SolverOrder::Second).moved_to([r1, 1.0])
    }

    /// Makes three calls per step, the second and third at `r1` and `r2`.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::InnerNodes`] unless `0 < r1 < r2 < 1`.
    pub fn third_at(r1: f64, r2: f64) -> Result<Self, SolverOptionError> {
        Self::of(SolverOrder::Third).moved_to([r1, r2])
    }

    /// Returns the nodes with the second reached by the midpoint formula instead of the paper's, as in
    /// diffusers' scheduler; nothing changes where there are fewer nodes.
    pub const fn with_midpoint_stage(mut self) -> Self {
        if matches!(self.calls, SolverOrder::Third) {
            self.reached_by = SolverType::Midpoint;
        }
        self
    }

    /// Returns the number of model calls of a step.
    pub const fn calls(self) -> usize {
        self.calls.get()
    }

    /// Returns the order of the global error.
    ///
    /// With three calls the weights of the predictions meet the conditions of order 3 only for
    /// `r2 = 2/3`: `b₂r₁ + b₃r₂ = 1/2`, `b₂r₁² + b₃r₂² = 1/3` and `b₃r₂² = 1/3` leave `b₂ = 0`.
    pub fn order(self) -> usize {
        let third = (self.inner[1] - TWO_THIRDS).abs() < SAME_NODE;
        if third { 3 } else { self.calls().min(2) }
    }

    /// Returns the nodes inside the step, and the formula that leads to the second.
    fn inner(&self) -> (&[f64], SolverType) {
        (&self.inner[..self.calls() - 1], self.reached_by)
    }

    /// Returns what a solver's name says of unpublished nodes.
    fn suffix(self) -> String {
        let [r1, r2] = self.inner;
        match (self.calls, self.reached_by) {
            _ if self == Self::of(self.calls) => String::new(),
            (SolverOrder::Third, SolverType::Heun) => format!("(r1={r1}, r2={r2})"),
            (SolverOrder::Third, SolverType::Midpoint) => {
                format!("(r1={r1}, r2={r2}, midpoint stage)")
            }
            _ => format!("(r1={r1})"),
        }
    }

    /// Returns as many nodes of the same kind elsewhere.
    fn moved_to(self, inner: [f64; 2]) -> Result<Self, SolverOptionError> {
        let [r1, r2] = inner;
        // Not the negated comparisons: NaN must not pass.
        let inside = match self.calls {
            SolverOrder::First => true,
            SolverOrder::Second => 0.0 < r1 && r1 < 1.0,
            SolverOrder::Third => 0.0 < r1 && r1 < r2 && r2 < 1.0,
        };
        let moved = inside.then_some(Self { inner, ..self });
        moved.ok_or(SolverOptionError::InnerNodes { r1, r2 })
    }
}

const TWO_THIRDS: f64 = 2.0 / 3.0;

/// Room for the rounding of a node that was computed from levels.
const SAME_NODE: f64 = 1e-9;

#[cfg(test)]
mod tests;
