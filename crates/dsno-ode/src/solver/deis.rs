use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::exponential::Interval;
use super::history::Past;
use super::{AlgorithmType, History, LowerOrderFinal, Solver, SolverOrder, Stepped};
use crate::{Denoiser, Schedule, Step};

/// DEIS with Adams–Bashforth polynomials: up to third order, one model call per step.
///
/// In units of the signal the flow is `d(z/α) = ε̂ dρ` with `ρ = σ/α`. The noise is replaced by the
/// polynomial through the newest predictions, in one of three variables `v`, and integrated exactly:
///
/// ```text
/// z_s = α_s ( z_t/α_t + Σ_i w_i ε̂_i )        w_i = ∫_ρ_t^ρ_s Π_{j ≠ i} (v − v_j)/(v_i − v_j) dρ
/// ```
///
/// Exact for a constant `ε̂`; steps may differ in length. With [`DeisVariable::LogRho`] and two
/// predictions it is the noise form of [`DpmSolverMultistep`](crate::DpmSolverMultistep) with
/// [`SolverType::Heun`](crate::solver::SolverType::Heun), and with three its exact third order. As there,
/// the first steps are of lower order, and one that ends without noise is of first order.
///
/// Zhang and Chen 2023 (arXiv:2204.13902): `tAB-DEIS` and `ρAB-DEIS`; the third variable is that of
/// published code. Orders count as in other solvers here: the paper's `AB0` is order 1.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Deis, Solver, SolverOrder};
/// use dsno_ode::solver::DeisVariable;
///
/// let solver = Deis::new(SolverOrder::Third, DeisVariable::Time);
/// assert_eq!((solver.name().as_str(), solver.order()), ("deis-3-time", 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deis {
    /// Number of predictions in the polynomial.
    pub order: SolverOrder,
    /// What the polynomial is in.
    pub variable: DeisVariable,
    /// Whether the order is lowered at the end of the grid.
    #[serde(rename = "final_order")]
    pub lower_order_final: LowerOrderFinal,
}

/// The variable of the polynomials of [`Deis`].
///
/// In files: `"time"`, `"rho"`, `"log-rho"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::solver::DeisVariable;
///
/// assert_eq!(DeisVariable::default(), DeisVariable::LogRho);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeisVariable {
    /// The time of the schedule: `tAB-DEIS`, for steps of about equal length in time. Extrapolation is
    /// far where they grow fast, as equal steps in `λ` do from `t = 1`. The weights are quadratures.
    Time,
    /// `ρ = σ/α`: `ρAB-DEIS`, the Adams–Bashforth method for steps of unequal length.
    Rho,
    /// `ln ρ = −λ/2`: what published code calls `logrho`.
    #[default]
    LogRho,
}

impl Deis {
    /// Makes the solver with [`LowerOrderFinal::OnShortGrids`].
    pub fn new(order: SolverOrder, variable: DeisVariable) -> Self {
        Self {
            order,
            variable,
            lower_order_final: LowerOrderFinal::default(),
        }
    }
}

impl Solver for Deis {
    type Memory = History;

    fn name(&self) -> String {
        let variable = match self.variable {
            DeisVariable::Time => "time",
            DeisVariable::Rho => "rho",
            DeisVariable::LogRho => "log-rho",
        };
        format!("deis-{}-{variable}", self.order.get())
    }

    fn order(&self) -> usize {
        self.order.get()
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: History,
    ) -> Stepped<History> {
        let epsilon = AlgorithmType::DpmSolver.predict(model, &z_t, step.from())?;
        let memory = memory.with(step, epsilon, self.order.get());
        let past = memory.newest(self.lower_order_final.of(step, self.order, &memory));
        let interval = Interval::new(AlgorithmType::DpmSolver, step.from(), step.to());
        let (rho_t, rho_s) = (rho(step.from().log_snr()), rho(step.to().log_snr()));
        let position = |one: &Past| match self.variable {
            DeisVariable::LogRho => interval.position(one.log_snr),
            DeisVariable::Rho => (rho(one.log_snr) - rho_t) / (rho_s - rho_t),
            DeisVariable::Time => (one.t - step.t()) / (step.s() - step.t()),
        };
        // Integrals over ρ are α_s times what a step adds, those of an interval −σ_s times.
        let moment = |k: usize| match self.variable {
            DeisVariable::LogRho => interval.moment(k),
            // Powers of u = (ρ − ρ_t)/(ρ_s − ρ_t): ∫ u^k dρ = (ρ_s − ρ_t)/(k + 1).
            DeisVariable::Rho => (rho_t - rho_s) / (k + 1) as f64 / rho_s,
            DeisVariable::Time => -time_moment(step, k) / rho_s,
        };
        let predictions: Vec<Tensor<4>> = past.iter().map(|one| one.value.clone()).collect();
        let positions: Vec<f64> = past.iter().skip(1).map(position).collect();
        let moments: Vec<f64> = (1..past.len()).map(moment).collect();
        Ok((
            interval.cross(z_t, &predictions, &positions, &moments),
            memory,
        ))
    }
}

fn rho(log_snr: f64) -> f64 {
    (-0.5 * log_snr).exp()
}

/// Integrates `u^k dρ` over a step, with `u = (τ − t)/(s − t)` for the time `τ` of `ρ`.
///
/// Gauss–Legendre with five nodes in pieces of at most a quarter in `ln ρ`, where the integrand is
/// smooth: exact to rounding if `λ(t)` is.
fn time_moment(step: &Step<'_>, k: usize) -> f64 {
    let schedule: &dyn Schedule = step.schedule();
    let (from, to) = (step.from().log_snr(), step.to().log_snr());
    let pieces = ((to - from) / LARGEST_PIECE).ceil().clamp(1.0, MOST_PIECES) as usize;
    let width = (to - from) / pieces as f64;
    let at = |log_snr: f64| {
        let u = (schedule.time_at(log_snr) - step.t()) / (step.s() - step.t());
        // dρ = −½ ρ dλ
        -0.5 * rho(log_snr) * u.powi(k as i32)
    };
    let piece = |index: usize| {
        let middle = from + (index as f64 + 0.5) * width;
        let node = |(x, weight): (f64, f64)| weight * at(middle + 0.5 * width * x);
        0.5 * width * GAUSS_LEGENDRE.into_iter().map(node).sum::<f64>()
    };
    (0..pieces).map(piece).sum()
}

/// In `λ`: a quarter in `ln ρ`.
const LARGEST_PIECE: f64 = 0.5;
/// Keeps the work finite on a step of absurd length.
const MOST_PIECES: f64 = 1e4;

/// Nodes on `[−1, 1]` and weights of the rule that is exact for polynomials of degree 9.
const GAUSS_LEGENDRE: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
    (0.906_179_845_938_664, 0.236_926_885_056_189_08),
];

#[cfg(test)]
mod tests;
