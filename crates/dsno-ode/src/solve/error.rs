//! Why a solve stopped.

use crate::StepError;
use crate::adaptive::AdaptiveError;

/// Why a solve stopped.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A recorded time is not between the ends of the grid.
    #[error("time {time} is to be recorded but the solve runs from {first} to {last}")]
    RecordOutsideGrid {
        /// The requested time.
        time: f64,
        /// First time of the solve.
        first: f64,
        /// Last time of the solve.
        last: f64,
    },
    /// The schedule does not give a larger `λ` for a later time of the grid.
    #[error(
        "the schedule has log-SNR {log_snr} at time {t} after {previous} at the grid time before, \
         expected a larger one: the grid reaches outside the schedule"
    )]
    LevelNotIncreasing {
        /// Time of the grid.
        t: f64,
        /// `λ` there, in nats.
        log_snr: f64,
        /// `λ` at the grid time before, in nats.
        previous: f64,
    },
    /// The state given to start from is not finite.
    #[error("the state given for time {t} holds NaN or infinity")]
    NonFiniteStart {
        /// First time of the grid.
        t: f64,
    },
    /// A step led to a state that is not finite.
    #[error(
        "step {step} led to NaN or infinity at time {t} (log-SNR {log_snr}): the model's prediction \
         is not finite, or its values grow beyond the tensor's number type"
    )]
    NonFinite {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the end of the step.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
    },
    /// The solver could not take a step.
    #[error("step {step} from time {t} (log-SNR {log_snr}) failed: {cause}")]
    Step {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the start of the step.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
        /// What the solver found.
        cause: StepError,
    },
    /// A solve with steps of its own choice could not start or go on.
    #[error(transparent)]
    Adaptive(#[from] AdaptiveError),
}
