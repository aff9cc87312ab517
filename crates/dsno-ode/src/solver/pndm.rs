use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::plms::{AVERAGED, adams_bashforth, transfer};
use super::{AlgorithmType, History, Solver, StepError, Stepped};
use crate::{Denoiser, NoiseLevel, Step};

/// PNDM: [`Plms`](crate::Plms) started by three steps of a pseudo Runge–Kutta method.
///
/// Those three steps call the model four times, at both ends and twice half-way in time, and move with
/// the DDIM formula `φ` throughout:
///
/// ```text
/// e_1 = ε̂(z_t, t)        e_2 = ε̂(φ(z_t, e_1, t → m), m)
/// e_3 = ε̂(φ(z_t, e_2, t → m), m)        e_4 = ε̂(φ(z_t, e_3, t → s), s)
/// z_s = φ(z_t, (e_1 + 2 e_2 + 2 e_3 + e_4)/6, t → s)
/// ```
///
/// Each leaves `e_1` for the averages of the later steps, which are those of `Plms`; what is said there
/// about equal steps and about the order holds here too. A step of the start that ends without noise
/// uses `e_1` alone.
///
/// Liu et al. 2022 (arXiv:2202.09778), F-PNDM.
///
/// # Examples
///
/// ```
/// use dsno_ode::{CosineSchedule, Pndm, Solver, Step};
///
/// let (pndm, schedule) = (Pndm::default(), CosineSchedule::default());
/// assert_eq!((pndm.name().as_str(), pndm.order()), ("pndm", 2));
/// assert_eq!(pndm.calls(&Step::new(&schedule, 0.8, 0.7, 2, 10)), 4);
/// assert_eq!(pndm.calls(&Step::new(&schedule, 0.7, 0.6, 3, 10)), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pndm {
    /// Where the middle of a starting step lies.
    #[serde(rename = "middle")]
    pub midpoint: PndmMidpoint,
}

/// Where [`Pndm`] places the middle of its starting steps.
///
/// diffusers works on whole entries of the table. If a step spans an odd number of entries, it moves
/// the first inner state to the entry above the middle and calls the model with the one below it. On the
/// Gaussian mixture of the tests that changes the error at the end by 0.2 % and 0.1 %: 0.22469 for
/// 0.22511 in steps of 83 entries, 0.057383 for 0.057336 in steps of 37.
///
/// In files: `"halfway"`, `{ whole-entries = 1000 }`.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Pndm, Solver};
/// use dsno_ode::solver::PndmMidpoint;
///
/// let diffusers = Pndm { midpoint: PndmMidpoint::WholeEntries(1000) };
/// assert_eq!(diffusers.name(), "pndm-whole-entries");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PndmMidpoint {
    /// Half-way between the ends in time, as published.
    #[default]
    Halfway,
    /// At entries of a table of this many, as in diffusers.
    WholeEntries(usize),
}

impl PndmMidpoint {
    /// Returns the level that the first inner state is moved to and the one that the model is called with.
    fn levels(self, step: &Step<'_>) -> (NoiseLevel, NoiseLevel) {
        let at = |t: f64| step.schedule().at(t);
        match self {
            Self::Halfway => {
                let middle = at(0.5 * (step.t() + step.s()));
                (middle, middle)
            }
            Self::WholeEntries(entries) => {
                let entries = entries as f64;
                let (from, to) = ((step.t() * entries).round(), (step.s() * entries).round());
                let half = (0.5 * (from - to)).floor();
                (at((from - half) / entries), at((to + half) / entries))
            }
        }
    }
}

/// Number of steps that the average of later ones looks back.
const STARTING_STEPS: usize = AVERAGED - 1;

impl Solver for Pndm {
    type Memory = History;

    fn name(&self) -> String {
        match self.midpoint {
            PndmMidpoint::Halfway => "pndm".to_owned(),
            PndmMidpoint::WholeEntries(_) => "pndm-whole-entries".to_owned(),
        }
    }

    fn order(&self) -> usize {
        2
    }

    /// Returns 4 for the first three steps, unless they end without noise, and 1 for every other.
    fn calls(&self, step: &Step<'_>) -> usize {
        if step.index() < STARTING_STEPS && !step.ends_without_noise() {
            4
        } else {
            1
        }
    }

    fn step(
        &self,
        model: &dyn Denoiser,
        z_t: Tensor<4>,
        step: &Step<'_>,
        memory: History,
    ) -> Stepped<History> {
        let epsilon = AlgorithmType::DpmSolver.predict(model, &z_t, step.from())?;
        let starts = memory.len() < STARTING_STEPS;
        let memory = memory.with(step, epsilon.clone(), AVERAGED);
        let average = match (starts, step.ends_without_noise()) {
            (false, _) => adams_bashforth(&memory),
            (true, true) => epsilon,
            (true, false) => self.runge_kutta(model, &z_t, epsilon, step)?,
        };
        Ok((transfer(z_t, average, step.from(), step.to()), memory))
    }
}

impl Pndm {
    /// Returns the average noise over a starting step.
    fn runge_kutta(
        self,
        model: &dyn Denoiser,
        z_t: &Tensor<4>,
        e_1: Tensor<4>,
        step: &Step<'_>,
    ) -> Result<Tensor<4>, StepError> {
        let (moved, called) = self.midpoint.levels(step);
        let go = |epsilon: &Tensor<4>, to| transfer(z_t.clone(), epsilon.clone(), step.from(), to);
        let noise = |z: Tensor<4>, at| AlgorithmType::DpmSolver.predict(model, &z, at);
        let e_2 = noise(go(&e_1, moved), called)?;
        let e_3 = noise(go(&e_2, called), called)?;
        let e_4 = noise(go(&e_3, step.to()), step.to())?;
        Ok((e_1 + e_2 * 2.0 + e_3 * 2.0 + e_4) / 6.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schedule;
    use crate::solver::test_multistep::multistep_laws;
    use crate::test_support::ddpm;

    multistep_laws!(noise: [Pndm::default()]);

    #[test]
    fn whole_entries_differ_from_half_way_by_one_entry_at_odd_steps_only() {
        let table = ddpm();
        let levels =
            |middle: PndmMidpoint, t: f64, s: f64| middle.levels(&Step::alone(&table, t, s));
        let whole = PndmMidpoint::WholeEntries(1000);
        assert_eq!(
            levels(whole, 0.914, 0.831),
            (table.at(0.873), table.at(0.872))
        );
        assert_eq!(
            levels(whole, 0.9, 0.8),
            levels(PndmMidpoint::Halfway, 0.9, 0.8)
        );
    }
}
