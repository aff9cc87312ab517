//! What a solve gives: states, steps and their cost.

use burn::tensor::Tensor;

/// A recorded state.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Position in the list of recorded times.
    pub index: usize,
    /// The requested time.
    pub time: f64,
    /// State `[B, C, H, W]` at that time.
    pub state: Tensor<4>,
}

/// What one step of a solve was and what it cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Time at the start.
    pub t: f64,
    /// Time at the end.
    pub s: f64,
    /// `λ` at the start, in nats.
    pub from_log_snr: f64,
    /// `λ` at the end, in nats.
    pub to_log_snr: f64,
    /// Model calls of the step, of the attempts rejected before it and of the recorded times inside
    /// it, each on the whole batch.
    pub model_calls: usize,
    /// Attempts that were rejected before this step; 0 on a grid.
    pub rejected: usize,
    /// Error estimate in units of the tolerance, at most 1; none on a grid.
    pub error: Option<f64>,
}

/// The recorded states of a solve and what they cost.
#[derive(Debug, Clone)]
pub struct Solution {
    /// One state `[B, C, H, W]` per recorded time, in the order of `record`.
    pub states: Vec<Tensor<4>>,
    /// Number of model calls, each on the whole batch.
    pub model_calls: usize,
    /// The steps that were taken, in order.
    pub steps: Vec<StepReport>,
}

impl Solution {
    pub(crate) fn new(states: Vec<Tensor<4>>, steps: Vec<StepReport>) -> Self {
        Self {
            states,
            model_calls: steps.iter().map(|step| step.model_calls).sum(),
            steps,
        }
    }

    /// Returns the number of attempts that an adaptive solve rejected; 0 on a grid.
    ///
    /// The accepted ones are the [`steps`](Self::steps).
    pub fn rejected(&self) -> usize {
        self.steps.iter().map(|step| step.rejected).sum()
    }

    /// Stacks the states along a time axis.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                    |
    /// |----------|-------------------|-----------------------------------|
    /// | returned | `[B, T, C, H, W]` | pixel units; `T` recorded times   |
    ///
    /// # Panics
    ///
    /// If nothing was recorded.
    pub fn into_trajectory(self) -> Tensor<5> {
        Tensor::stack(self.states, 1)
    }
}
