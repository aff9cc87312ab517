use crate::GridError;

/// Why the numbers given for a solver do not describe one.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolverOptionError {
    /// The share of fresh noise is not a share.
    #[error("stochastic DDIM has eta {eta}, expected a number in [0, 1]")]
    Eta {
        /// The value given.
        eta: f64,
    },
    /// The amount of churn is negative or not finite.
    #[error("churn is {amount}, expected a finite number of at least 0")]
    ChurnAmount {
        /// The value given.
        amount: f64,
    },
    /// The range of noise in which churn acts is reversed, negative or NaN.
    #[error("churn acts between sigma {min} and {max}, expected 0 <= min <= max")]
    ChurnRange {
        /// Lower end, in `σ/α`.
        min: f64,
        /// Upper end, in `σ/α`.
        max: f64,
    },
    /// The standard deviation of churn's noise is not positive and finite.
    #[error("churn's noise has standard deviation {std}, expected a positive finite number")]
    ChurnNoise {
        /// The value given.
        std: f64,
    },
    /// The inner nodes of a single-step method do not lie inside the step, in order.
    #[error("inner nodes are {r1} and {r2}, expected 0 < r1 < r2 < 1")]
    InnerNodes {
        /// First node, as a fraction of the step in `λ`.
        r1: f64,
        /// Second node; 1 for a method that has only one.
        r2: f64,
    },
    /// A plan has no step.
    #[error("a plan of single steps needs at least one model call")]
    EmptyPlan,
    /// The ends of a plan do not have finite levels of falling noise.
    #[error(
        "a plan runs from log-SNR {from} to {to}, expected two finite numbers, the second larger; \
         end at a small time where the schedule has no noise at 0"
    )]
    PlanEnds {
        /// `λ` at the start, in nats.
        from: f64,
        /// `λ` at the end, in nats.
        to: f64,
    },
    /// The times of a plan are not a grid.
    #[error("the times of the plan are not a grid: {cause}")]
    PlanGrid {
        /// What is wrong with them.
        cause: GridError,
    },
    /// The orders of a plan do not use up the intervals of its grid.
    #[error("the orders of the plan take {calls} grid intervals, expected all {intervals}")]
    PlanLength {
        /// Sum of the model calls of the orders.
        calls: usize,
        /// Intervals of the grid.
        intervals: usize,
    },
    /// A step of several model calls has no noise at its end, where it has no inner levels.
    #[error(
        "step {step} of the plan has {calls} model calls and ends without noise, expected order 1 \
         there"
    )]
    PlanEndsWithoutNoise {
        /// Number of the step, from 1.
        step: usize,
        /// Model calls of its order.
        calls: usize,
    },
}
