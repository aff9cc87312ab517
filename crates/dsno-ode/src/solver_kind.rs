//! The solvers of this crate by name, for files and command lines.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{
    Ddim, Deis, DeisVariable, Denoiser, DpmMultistep, DpmSolverSinglestep, Euler, FinalOrder, Form,
    Heun, Plms, Pndm, Rk4, Schedule, Solution, SolveError, Solver, SolverOrder, TimeGrid, UniPc,
    planned_calls, solve,
};

/// Declares the names once and dispatches on them.
macro_rules! methods {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal => $solver:expr;)+) => {
        /// A solver that walks a grid, by the name that files, flags and reports use.
        ///
        /// Each name stands for a solver of this crate with its usual options, multistep ones with
        /// first order in the last step. Other options are had by building the solver itself and
        /// passing it to [`solve`].
        ///
        /// # Examples
        ///
        /// ```
        /// use dsno_ode::{CosineSchedule, SolverKind, TimeGrid};
        ///
        /// let method: SolverKind = "ddim".parse()?;
        /// assert_eq!(method, SolverKind::Ddim);
        /// let (schedule, grid) = (CosineSchedule::default(), TimeGrid::uniform(16)?);
        /// assert_eq!(method.calls(&schedule, &grid, &[1.0, 0.5, 0.0])?, 16);
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
            /// Every method, in the order of their names' families.
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

            /// Solves with this method; see [`solve`](crate::solve) for arguments and errors.
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

methods! {
    /// [`Ddim`]: first order, one call per step.
    Ddim = "ddim" => Ddim;
    /// [`Euler`]: first order in the schedule's time, one call per step.
    Euler = "euler" => Euler;
    /// [`Heun`]: second order in the schedule's time, two calls per step.
    Heun = "heun" => Heun;
    /// [`Rk4`]: fourth order in the schedule's time, four calls per step.
    Rk4 = "rk4" => Rk4;
    /// [`DpmSolverSinglestep`] on `ε̂`: order 2, 2 calls per step.
    DpmSolver2 = "dpm-solver-2" => DpmSolverSinglestep::new(Form::Noise, SolverOrder::Second);
    /// [`DpmSolverSinglestep`] on `ε̂`: order 3, 3 calls per step.
    DpmSolver3 = "dpm-solver-3" => DpmSolverSinglestep::new(Form::Noise, SolverOrder::Third);
    /// [`DpmSolverSinglestep`] on `x̂`: order 2, 2 calls per step.
    DpmSolverPp2s = "dpm-solver++-2s" => DpmSolverSinglestep::new(Form::Data, SolverOrder::Second);
    /// [`DpmSolverSinglestep`] on `x̂`: order 3, 3 calls per step.
    DpmSolverPp3s = "dpm-solver++-3s" => DpmSolverSinglestep::new(Form::Data, SolverOrder::Third);
    /// [`DpmMultistep`] on `ε̂`: order 2, one call per step.
    DpmSolver2m = "dpm-solver-2m" => multistep(Form::Noise, SolverOrder::Second);
    /// [`DpmMultistep`] on `ε̂`: order 3, one call per step.
    DpmSolver3m = "dpm-solver-3m" => multistep(Form::Noise, SolverOrder::Third);
    /// [`DpmMultistep`] on `x̂`: order 2, one call per step.
    DpmSolverPp2m = "dpm-solver++-2m" => multistep(Form::Data, SolverOrder::Second);
    /// [`DpmMultistep`] on `x̂`: order 3, one call per step.
    DpmSolverPp3m = "dpm-solver++-3m" => multistep(Form::Data, SolverOrder::Third);
    /// [`UniPc`] on `x̂`: predictor of order 1, corrector one higher, one call per step.
    UniPc1 = "unipc-1-bh2" => UniPc::data(SolverOrder::First);
    /// [`UniPc`] on `x̂`: predictor of order 2, corrector one higher, one call per step.
    UniPc2 = "unipc-2-bh2" => UniPc::data(SolverOrder::Second);
    /// [`UniPc`] on `x̂`: predictor of order 3, corrector one higher, one call per step.
    UniPc3 = "unipc-3-bh2" => UniPc::data(SolverOrder::Third);
    /// [`Deis`] in `ln(σ/α)`: order 2, one call per step.
    Deis2 = "deis-2-log-rho" => deis(SolverOrder::Second);
    /// [`Deis`] in `ln(σ/α)`: order 3, one call per step.
    Deis3 = "deis-3-log-rho" => deis(SolverOrder::Third);
    /// [`Plms`]: four predictions, one call per step and one more at the start.
    Plms = "plms" => Plms;
    /// [`Pndm`]: the same after three steps of four calls each.
    Pndm = "pndm" => Pndm::default();
}

/// The multistep solver with first order in its last step on every grid: schedules that end at
/// `λ = 20` take a large part of their way in that step, where higher orders overshoot.
fn multistep(form: Form, order: SolverOrder) -> DpmMultistep {
    let solver = match form {
        Form::Data => DpmMultistep::data(order),
        Form::Noise => DpmMultistep::noise(order),
    };
    DpmMultistep {
        final_order: FinalOrder::Lower,
        ..solver
    }
}

/// The same for DEIS.
fn deis(order: SolverOrder) -> Deis {
    Deis {
        final_order: FinalOrder::Lower,
        ..Deis::new(order, DeisVariable::LogRho)
    }
}

/// A name that no method has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no solver `{name}`; the solvers are {}", names())]
pub struct UnknownSolver {
    name: String,
}

impl FromStr for SolverKind {
    type Err = UnknownSolver;

    fn from_str(name: &str) -> Result<Self, UnknownSolver> {
        let named = |method: &&Self| method.name() == name;
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
    fn from(method: SolverKind) -> Self {
        method.name()
    }
}

impl fmt::Display for SolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn names() -> String {
    let names: Vec<&str> = SolverKind::ALL.iter().map(|method| method.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_solvers_agree_on_names() {
        for &method in SolverKind::ALL {
            assert_eq!(method.own_name(), method.name());
            assert_eq!(method.name().parse(), Ok(method));
        }
    }
}
