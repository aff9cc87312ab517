use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::exponential::{Interval, combine, lagrange_weights};
use super::history::Past;
use super::{FinalOrder, Form, History, Solver, SolverOrder, StepError, predict};
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
/// predictions it is the noise form of [`DpmMultistep`](crate::DpmMultistep) with
/// [`SecondOrder::Heun`](crate::SecondOrder::Heun), and with three its exact third order. As there,
/// the first steps are of lower order, and one that ends without noise is of first order.
///
/// Zhang and Chen 2023 (arXiv:2204.13902): `tAB-DEIS` and `ρAB-DEIS`; the third variable is that of
/// published code. Orders count as in other solvers here: the paper's `AB0` is order 1.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Deis, DeisVariable, Solver, SolverOrder};
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
    /// What happens to the order at the end of the grid.
    pub final_order: FinalOrder,
}

/// The variable of the polynomials of [`Deis`].
///
/// In files: `"time"`, `"rho"`, `"log-rho"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::DeisVariable;
///
/// assert_eq!(DeisVariable::default(), DeisVariable::LogRho);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeisVariable {
    /// The time of the schedule: `tAB-DEIS`. The weights are quadratures, see [`Deis`].
    Time,
    /// `ρ = σ/α`: `ρAB-DEIS`, the Adams–Bashforth method for steps of unequal length.
    Rho,
    /// `ln ρ = −λ/2`: what published code calls `logrho`.
    #[default]
    LogRho,
}

impl Deis {
    /// Makes the solver with [`FinalOrder::LowerOnShortGrids`].
    pub fn new(order: SolverOrder, variable: DeisVariable) -> Self {
        Self {
            order,
            variable,
            final_order: FinalOrder::default(),
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

    fn calls(&self, _step: &Step<'_>) -> usize {
        1
    }

    fn start(&self) -> History {
        History::default()
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: History,
    ) -> Result<(Tensor<4>, History), StepError> {
        let x_hat = predict(model, &z_t, step.from())?;
        let epsilon = Form::Noise.of(x_hat, &z_t, step.from());
        let memory = memory.with(step, epsilon, self.order.get());
        let past = memory.newest(self.final_order.of(step, self.order, &memory));
        let z_s = match self.variable {
            DeisVariable::LogRho => in_log_rho(z_t, step, past),
            DeisVariable::Rho => {
                let (from, to) = (rho(step.from().log_snr()), rho(step.to().log_snr()));
                let position = |one: &Past| (rho(one.log_snr) - from) / (to - from);
                // Powers of u = (ρ − ρ_t)/(ρ_s − ρ_t): ∫ u^k dρ = (ρ_s − ρ_t)/(k + 1).
                let moment = |k: usize| (to - from) / (k + 1) as f64;
                in_rho_units(z_t, step, past, position, moment)
            }
            DeisVariable::Time => {
                let position = |one: &Past| (one.t - step.t()) / (step.s() - step.t());
                in_rho_units(z_t, step, past, position, |k| time_moment(step, k))
            }
        };
        Ok((z_s, memory))
    }
}

fn rho(log_snr: f64) -> f64 {
    (-0.5 * log_snr).exp()
}

fn in_log_rho(z_t: Tensor<4>, step: &Step<'_>, past: &[Past]) -> Tensor<4> {
    let interval = Interval::new(Form::Noise, step.from(), step.to());
    let (predictions, positions) = interval.points(past);
    let moments: Vec<f64> = (1..past.len()).map(|k| interval.moment(k)).collect();
    interval.cross(z_t, &predictions, &positions, &moments)
}

/// Crosses with a polynomial whose powers have the given integrals over `ρ`.
fn in_rho_units(
    z_t: Tensor<4>,
    step: &Step<'_>,
    past: &[Past],
    position: impl Fn(&Past) -> f64,
    moment: impl Fn(usize) -> f64,
) -> Tensor<4> {
    let positions: Vec<f64> = past.iter().skip(1).map(position).collect();
    let moments: Vec<f64> = (1..past.len()).map(moment).collect();
    let others = lagrange_weights(&positions, &moments);
    let keep = step.to().alpha() / step.from().alpha();
    let others: Vec<f64> = others.iter().map(|w| step.to().alpha() * w).collect();
    // A constant ε̂ is crossed exactly, whatever the quadrature of the others.
    let total = step.to().sigma() - keep * step.from().sigma();
    let first = total - others.iter().sum::<f64>();
    let weights = std::iter::once(first).chain(others);
    combine(z_t * keep, weights.zip(past.iter().map(|one| &one.value)))
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
mod tests {
    use super::*;
    use crate::solver::test_multistep::{exact_for_constant_noise, repeatable, same_in_both_units};
    use crate::test_support::assert_close;
    use crate::{CosineSchedule, DpmMultistep, SecondOrder, TimeGrid, from_fn, solve};

    fn all() -> impl Iterator<Item = Deis> {
        let orders = [SolverOrder::First, SolverOrder::Second, SolverOrder::Third];
        let variables = [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho];
        let solvers = move |order| variables.map(|variable| Deis::new(order, variable));
        orders.into_iter().flat_map(solvers)
    }

    #[test]
    fn a_constant_noise_is_solved_exactly() {
        for solver in all() {
            exact_for_constant_noise(&solver);
        }
    }

    #[test]
    fn a_step_can_be_taken_to_two_ends() {
        for solver in all() {
            repeatable(&solver);
        }
    }

    #[test]
    fn a_quadratic_noise_is_solved_exactly_in_its_own_variable() {
        let schedule = CosineSchedule::default();
        let grid = TimeGrid::from_times(vec![0.9, 0.8, 0.65, 0.55, 0.4]).expect("falls");
        for variable in [DeisVariable::Time, DeisVariable::Rho, DeisVariable::LogRho] {
            let value = move |log_snr: f64| match variable {
                DeisVariable::Time => CosineSchedule::default().time_at(log_snr),
                DeisVariable::Rho => rho(log_snr),
                DeisVariable::LogRho => -0.5 * log_snr,
            };
            let quadratic = move |log_snr: f64| {
                let v = value(log_snr);
                0.3 - 0.7 * v + 0.2 * v * v
            };
            let model = from_fn(move |z_t: Tensor<4>, at: crate::Amplitudes| {
                let epsilon = z_t.ones_like() * quadratic(at.log_snr());
                crate::Prediction::Epsilon.to_x(epsilon, z_t, at)
            });
            // Two steps warm up; the rest must follow ∫ ε̂ dρ, here by fine midpoints in λ.
            let solver = Deis {
                final_order: FinalOrder::Full,
                ..Deis::new(SolverOrder::Third, variable)
            };
            let z_1 = crate::test_support::f64_tensor(&[0.8], [1, 1, 1, 1]);
            let solution = solve(&model, &solver, &schedule, &grid, z_1, grid.times());
            let states = solution.expect("solves").states;
            let (from, to) = (schedule.at(0.65), schedule.at(0.4));
            let (a, b) = (from.log_snr(), to.log_snr());
            let panel = |i: usize| {
                let log_snr = a + (i as f64 + 0.5) / 100_000.0 * (b - a);
                -0.5 * rho(log_snr) * quadratic(log_snr) * (b - a) / 100_000.0
            };
            let integral: f64 = (0..100_000).map(panel).sum();
            let expected = (states[2].clone() / from.alpha() + integral) * to.alpha();
            assert_close(&states[4], &expected, 1e-9);
        }
    }

    #[test]
    fn in_log_rho_it_is_a_dpm_solver_in_noise_form() {
        let schedule = CosineSchedule::default();
        let model = from_fn(|z_t: Tensor<4>, at| (z_t * 0.8).sin() * at.alpha());
        let grid = TimeGrid::uniform(20).expect("steps > 0");
        for order in [SolverOrder::First, SolverOrder::Second, SolverOrder::Third] {
            let z_1 = crate::test_support::f64_tensor(&[0.8, -0.3], [1, 2, 1, 1]);
            let deis = Deis::new(order, DeisVariable::LogRho);
            let dpm = DpmMultistep {
                second_order: SecondOrder::Heun,
                ..DpmMultistep::noise(order)
            };
            let first = solve(&model, &deis, &schedule, &grid, z_1.clone(), grid.times());
            let second = solve(&model, &dpm, &schedule, &grid, z_1, grid.times());
            let pairs = first.expect("solves").states.into_iter();
            for (a, b) in pairs.zip(second.expect("solves").states) {
                assert_close(&a, &b, 0.0);
            }
        }
    }

    #[test]
    fn units_do_not_matter() {
        for solver in all() {
            same_in_both_units(&solver);
        }
    }

    #[test]
    fn names_say_what_differs() {
        let names: std::collections::HashSet<String> = all().map(|one| one.name()).collect();
        assert_eq!(names.len(), 9);
        assert!(names.contains("deis-2-log-rho"));
    }
}
