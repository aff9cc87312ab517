use crate::solver::{SolverOptionError, SolverOrder, SolverType};

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
    pub const fn with_midpoint_stage(self) -> Self {
        match self.calls {
            SolverOrder::Third => Self {
                reached_by: SolverType::Midpoint,
                ..self
            },
            _ => self,
        }
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
    pub(super) fn inner(&self) -> (&[f64], SolverType) {
        (&self.inner[..self.calls() - 1], self.reached_by)
    }

    /// Returns what a solver's name says of unpublished nodes.
    pub(super) fn suffix(self) -> String {
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
    pub(super) fn moved_to(self, inner: [f64; 2]) -> Result<Self, SolverOptionError> {
        let [r1, r2] = inner;
        // Not the negated comparisons: NaN must not pass.
        let inside = match self.calls {
            SolverOrder::First => true,
            SolverOrder::Second => 0.0 < r1 && r1 < 1.0,
            SolverOrder::Third => 0.0 < r1 && r1 < r2 && r2 < 1.0,
        };
        if inside {
            Ok(Self { inner, ..self })
        } else {
            Err(SolverOptionError::InnerNodes { r1, r2 })
        }
    }
}

const TWO_THIRDS: f64 = 2.0 / 3.0;

/// Room for the rounding of a node that was computed from levels.
const SAME_NODE: f64 = 1e-9;
