//! The solvers of this crate by name, for files and command lines.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{
    Ddim, Denoiser, Schedule, Solution, SolveError, Solver, TimeGrid, planned_calls, solve,
};

/// Declares the names once and dispatches on them.
macro_rules! methods {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal => $solver:expr;)+) => {
        /// A solver that walks a grid, by the name that files, flags and reports use.
        ///
        /// Each name stands for a solver of this crate with its usual options. Other options are
        /// had by building the solver itself and passing it to [`solve`].
        ///
        /// # Examples
        ///
        /// ```
        /// use dsno_ode::{CosineSchedule, Method, TimeGrid};
        ///
        /// let method: Method = "ddim".parse()?;
        /// assert_eq!(method, Method::Ddim);
        /// let (schedule, grid) = (CosineSchedule::default(), TimeGrid::uniform(16)?);
        /// assert_eq!(method.calls(&schedule, &grid, &[1.0, 0.5, 0.0])?, 16);
        /// let error = "ddmi".parse::<Method>().expect_err("no such solver");
        /// assert!(error.to_string().contains("ddim"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum Method {
            $($(#[$doc])+ $variant,)+
        }

        impl Method {
            /// Every method, in the order of their names' families.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
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
}

/// A name that no method has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no solver `{name}`; the solvers are {}", names())]
pub struct UnknownMethod {
    name: String,
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        let named = |method: &&Self| method.name() == name;
        let found = Self::ALL.iter().find(named).copied();
        found.ok_or_else(|| UnknownMethod {
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(name: String) -> Result<Self, UnknownMethod> {
        name.parse()
    }
}

impl From<Method> for &'static str {
    fn from(method: Method) -> Self {
        method.name()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn names() -> String {
    let names: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
    names.join(", ")
}
