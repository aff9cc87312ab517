use crate::{SecondOrder, SolverOptionError, SolverOrder};

/// How many model calls a single-step DPM-Solver makes inside a step, and at which levels.
///
/// A node is a fraction of the step in `λ`. The papers' nodes are the constants and what
/// [`of`](Self::of) gives; order 2 is kept for every node, order 3 only while the second is 2/3.
///
/// # Examples
///
/// ```
/// use dsno_ode::{SolverOptionError, SolverOrder, Stages};
///
/// assert_eq!(Stages::of(SolverOrder::Third), Stages::THIRD);
/// assert_eq!((Stages::THIRD.calls(), Stages::THIRD.order()), (3, 3));
/// assert_eq!(Stages::third_at(0.25, 0.5)?.order(), 2);
/// assert!(Stages::second_at(1.0).is_err());
/// # Ok::<(), SolverOptionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stages {
    nodes: Nodes,
}

/// The levels inside a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Nodes {
    /// No level inside.
    None,
    /// One level.
    One { r1: f64 },
    /// Two levels; the state at the second is reached by a second-order formula.
    Two {
        r1: f64,
        r2: f64,
        reached_by: SecondOrder,
    },
}

impl Stages {
    /// One call, at the start.
    pub const FIRST: Self = Self { nodes: Nodes::None };

    /// Two calls: at the start and half-way.
    pub const SECOND: Self = Self {
        nodes: Nodes::One { r1: 0.5 },
    };

    /// Three calls: at the start and at the two thirds.
    pub const THIRD: Self = Self {
        nodes: Nodes::Two {
            r1: 1.0 / 3.0,
            r2: TWO_THIRDS,
            reached_by: SecondOrder::Heun,
        },
    };

    /// Returns the published stages of an order.
    pub const fn of(order: SolverOrder) -> Self {
        match order {
            SolverOrder::First => Self::FIRST,
            SolverOrder::Second => Self::SECOND,
            SolverOrder::Third => Self::THIRD,
        }
    }

    /// Makes two stages with the second at `r1`.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::InnerNodes`] unless `0 < r1 < 1`.
    pub fn second_at(r1: f64) -> Result<Self, SolverOptionError> {
        check(r1, 1.0)?;
        Ok(Self {
            nodes: Nodes::One { r1 },
        })
    }

    /// Makes three stages with the second and third at `r1` and `r2`.
    ///
    /// # Errors
    ///
    /// * [`SolverOptionError::InnerNodes`] unless `0 < r1 < r2 < 1`.
    pub fn third_at(r1: f64, r2: f64) -> Result<Self, SolverOptionError> {
        check(r1, r2)?;
        if r2 >= 1.0 {
            return Err(SolverOptionError::InnerNodes { r1, r2 });
        }
        Ok(Self {
            nodes: Nodes::Two {
                r1,
                r2,
                reached_by: SecondOrder::Heun,
            },
        })
    }

    /// Returns the stages with the third reached by the midpoint formula instead of the paper's, as
    /// in diffusers' scheduler; fewer stages stay as they are.
    pub const fn with_midpoint_stage(self) -> Self {
        match self.nodes {
            Nodes::Two { r1, r2, .. } => Self {
                nodes: Nodes::Two {
                    r1,
                    r2,
                    reached_by: SecondOrder::Midpoint,
                },
            },
            Nodes::None | Nodes::One { .. } => self,
        }
    }

    /// Returns the number of model calls of a step.
    pub const fn calls(self) -> usize {
        match self.nodes {
            Nodes::None => 1,
            Nodes::One { .. } => 2,
            Nodes::Two { .. } => 3,
        }
    }

    /// Returns the order of the global error.
    ///
    /// With three stages the weights of the predictions meet the conditions of order 3 only for
    /// `r2 = 2/3`: `b₂r₁ + b₃r₂ = 1/2`, `b₂r₁² + b₃r₂² = 1/3` and `b₃r₂² = 1/3` leave `b₂ = 0`.
    pub fn order(self) -> usize {
        match self.nodes {
            Nodes::None => 1,
            Nodes::Two { r2, .. } if (r2 - TWO_THIRDS).abs() < SAME_NODE => 3,
            Nodes::One { .. } | Nodes::Two { .. } => 2,
        }
    }

    pub(super) const fn nodes(self) -> Nodes {
        self.nodes
    }

    /// Returns what a solver's name says of unpublished stages.
    pub(super) fn suffix(self) -> String {
        if [Self::FIRST, Self::SECOND, Self::THIRD].contains(&self) {
            return String::new();
        }
        match self.nodes {
            Nodes::None => String::new(),
            Nodes::One { r1 } => format!("(r1={r1})"),
            Nodes::Two {
                r1,
                r2,
                reached_by: SecondOrder::Heun,
            } => format!("(r1={r1}, r2={r2})"),
            Nodes::Two { r1, r2, .. } => format!("(r1={r1}, r2={r2}, midpoint stage)"),
        }
    }

    /// Returns stages of the same number and kind at other nodes, which the caller has checked to be
    /// increasing inside `(0, 1)`.
    pub(super) const fn moved_to(self, inner: [f64; 2]) -> Self {
        let nodes = match self.nodes {
            Nodes::None => Nodes::None,
            Nodes::One { .. } => Nodes::One { r1: inner[0] },
            Nodes::Two { reached_by, .. } => Nodes::Two {
                r1: inner[0],
                r2: inner[1],
                reached_by,
            },
        };
        Self { nodes }
    }
}

/// Checks `0 < r1 < r2 <= 1`, NaN included.
fn check(r1: f64, r2: f64) -> Result<(), SolverOptionError> {
    let inside = 0.0 < r1 && r1 < r2 && r2 <= 1.0;
    if inside {
        Ok(())
    } else {
        Err(SolverOptionError::InnerNodes { r1, r2 })
    }
}

const TWO_THIRDS: f64 = 2.0 / 3.0;

/// Room for the rounding of a node that was computed from levels.
const SAME_NODE: f64 = 1e-9;
