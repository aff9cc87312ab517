//! The solvers of this crate by name, for files and command lines.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::solver::{DeisVariable, LowerOrderFinal};
use crate::{
    AlgorithmType::{self, DpmSolver, DpmSolverPlusPlus},
    Ddim, Deis, Denoiser, DpmSolverMultistep, DpmSolverSinglestep, Euler, Heun, Plms, Pndm, Rk4,
    Schedule, Solution, SolveError, Solver,
    SolverOrder::{self, First, Second, Third},
    TimeGrid, UniPc, planned_calls, solve,
};

/// Declares the names once and dispatches on them.
macro_rules! solver_kinds {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal => $solver:expr;)+) => {
        /// A solver that walks a grid, by the name that files, flags and reports use.
        ///
        /// Each name stands for a solver of this crate with its usual options, multistep ones with
        /// first order in the last step. For other options build the solver itself and pass it to
        /// [`solve`].
        ///
        /// # Examples
        ///
        /// ```
        /// use dsno_ode::{CosineSchedule, SolverKind, TimeGrid};
        ///
        /// let kind: SolverKind = "ddim".parse()?;
        /// assert_eq!(kind, SolverKind::Ddim);
        /// let (schedule, grid) = (CosineSchedule::default(), TimeGrid::uniform(16)?);
        /// assert_eq!(kind.calls(&schedule, &grid, &[1.0, 0.5, 0.0])?, 16);
        /// let error = "ddmi".parse::<SolverKind>().expect_err("no such solver");
        /// assert!(error.to_string().contains("ddim"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum SolverKind {
            $($(#[$doc])+ $variant,)+
        }

        impl SolverKind {
            /// Every kind, in the order of their names' families.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns the name that the solver gives itself.
            #[cfg(test)]
            fn own_name(self) -> String {
                match self {
                    $(Self::$variant => $solver.name(),)+
                }
            }

            /// Returns the order of the global error.
            pub fn order(self) -> usize {
                match self {
                    $(Self::$variant => $solver.order(),)+
                }
            }

            /// Returns the exact number of model calls of a solve over `grid`; see
            /// [`planned_calls`].
            ///
            /// # Errors
            ///
            /// [`SolveError::RecordOutsideGrid`] for a recorded time that `grid` does not reach.
            pub fn calls(
                self,
                schedule: &dyn Schedule,
                grid: &TimeGrid,
                record: &[f64],
            ) -> Result<usize, SolveError> {
                match self {
                    $(Self::$variant => planned_calls(&$solver, schedule, grid, record),)+
                }
            }

            /// Solves with this solver; see [`solve`](crate::solve) for arguments and errors.
            ///
            /// # Errors
            ///
            /// Those of [`solve`](crate::solve).
            pub fn solve(
                self,
                model: &dyn Denoiser,
                schedule: &dyn Schedule,
                grid: &TimeGrid,
                z_1: Tensor<4>,
                record: &[f64],
            ) -> Result<Solution, SolveError> {
                match self {
                    $(Self::$variant => solve(model, &$solver, schedule, grid, z_1, record),)+
                }
            }
        }
    };
}

solver_kinds! {
    /// [`Ddim`]: first order, one call per step.
    Ddim = "ddim" => Ddim;
    /// [`Euler`]: first order in the schedule's time, one call per step.
    Euler = "euler" => Euler;
    /// [`Heun`]: second order in the schedule's time, two calls per step.
    Heun = "heun" => Heun;
    /// [`Rk4`]: fourth order in the schedule's time, four calls per step.
    Rk4 = "rk4" => Rk4;
    /// [`DpmSolverSinglestep`] on `ε̂`: order 2, 2 calls per step.
    DpmSolver2 = "dpm-solver-2" => DpmSolverSinglestep::new(DpmSolver, Second);
    /// [`DpmSolverSinglestep`] on `ε̂`: order 3, 3 calls per step.
    DpmSolver3 = "dpm-solver-3" => DpmSolverSinglestep::new(DpmSolver, Third);
    /// [`DpmSolverSinglestep`] on `x̂`: order 2, 2 calls per step.
    DpmSolverPp2s = "dpm-solver++-2s" => DpmSolverSinglestep::new(DpmSolverPlusPlus, Second);
    /// [`DpmSolverSinglestep`] on `x̂`: order 3, 3 calls per step.
    DpmSolverPp3s = "dpm-solver++-3s" => DpmSolverSinglestep::new(DpmSolverPlusPlus, Third);
    /// [`DpmSolverMultistep`] on `ε̂`: order 2, one call per step.
    DpmSolver2m = "dpm-solver-2m" => multistep(DpmSolver, Second);
    /// [`DpmSolverMultistep`] on `ε̂`: order 3, one call per step.
    DpmSolver3m = "dpm-solver-3m" => multistep(DpmSolver, Third);
    /// [`DpmSolverMultistep`] on `x̂`: order 2, one call per step.
    DpmSolverPp2m = "dpm-solver++-2m" => multistep(DpmSolverPlusPlus, Second);
    /// [`DpmSolverMultistep`] on `x̂`: order 3, one call per step.
    DpmSolverPp3m = "dpm-solver++-3m" => multistep(DpmSolverPlusPlus, Third);
    /// [`UniPc`] on `x̂`: predictor of order 1, corrector one higher, one call per step.
    UniPc1 = "unipc-1-bh2" => UniPc::new(DpmSolverPlusPlus, First);
    /// [`UniPc`] on `x̂`: predictor of order 2, corrector one higher, one call per step.
    UniPc2 = "unipc-2-bh2" => UniPc::new(DpmSolverPlusPlus, Second);
    /// [`UniPc`] on `x̂`: predictor of order 3, corrector one higher, one call per step.
    UniPc3 = "unipc-3-bh2" => UniPc::new(DpmSolverPlusPlus, Third);
    /// [`Deis`] in `ln(σ/α)`: order 2, one call per step.
    Deis2 = "deis-2-log-rho" => deis(Second);
    /// [`Deis`] in `ln(σ/α)`: order 3, one call per step.
    Deis3 = "deis-3-log-rho" => deis(Third);
    /// [`Plms`]: four predictions, one call per step and one more at the start.
    Plms = "plms" => Plms;
    /// [`Pndm`]: the same after three steps of four calls each.
    Pndm = "pndm" => Pndm::default();
}

/// The multistep solver with first order in its last step on every grid: schedules that end at
/// `λ = 20` take a large part of the solve in that step, where higher orders overshoot.
fn multistep(algorithm_type: AlgorithmType, order: SolverOrder) -> DpmSolverMultistep {
    let lower_order_final = LowerOrderFinal::Always;
    DpmSolverMultistep {
        lower_order_final,
        ..DpmSolverMultistep::new(algorithm_type, order)
    }
}

/// The same for DEIS.
fn deis(order: SolverOrder) -> Deis {
    let lower_order_final = LowerOrderFinal::Always;
    Deis {
        lower_order_final,
        ..Deis::new(order, DeisVariable::LogRho)
    }
}

/// A name that no solver has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no solver `{name}`; the solvers are {}", names())]
pub struct UnknownSolver {
    name: String,
}

impl FromStr for SolverKind {
    type Err = UnknownSolver;

    fn from_str(name: &str) -> Result<Self, UnknownSolver> {
        let named = |kind: &&Self| kind.name() == name;
        let found = Self::ALL.iter().find(named).copied();
        found.ok_or_else(|| UnknownSolver {
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for SolverKind {
    type Error = UnknownSolver;

    fn try_from(name: String) -> Result<Self, UnknownSolver> {
        name.parse()
    }
}

impl From<SolverKind> for &'static str {
    fn from(kind: SolverKind) -> Self {
        kind.name()
    }
}

impl fmt::Display for SolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn names() -> String {
    let names: Vec<&str> = SolverKind::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_solvers_agree_on_names() {
        for &kind in SolverKind::ALL {
            assert_eq!(kind.own_name(), kind.name());
            assert_eq!(kind.name().parse(), Ok(kind));
        }
    }
}
