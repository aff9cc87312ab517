//! Why a solve stopped, on a grid or with steps of its own choice.

use crate::StepError;

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

/// Why a solve with steps of its own choice cannot start or go on.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptiveError {
    /// An option of the method has no meaning.
    #[error("the adaptive solver's {option} is {value}, expected {expected}")]
    Option {
        /// Name of the field.
        option: &'static str,
        /// The value found.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// The tolerance is finer than the numbers in the states.
    #[error(
        "rtol {rtol:e} and atol {atol:e} together are below {smallest:e}, ten times the rounding of \
         the states' number type; give a larger tolerance or states of more digits"
    )]
    Tolerance {
        /// Relative tolerance.
        rtol: f64,
        /// Absolute tolerance.
        atol: f64,
        /// Smallest sum of the two for this number type.
        smallest: f64,
    },
    /// The solve does not run from a time in `[0, 1]` to a smaller one.
    #[error("the solve is to run from time {start} to {end}, expected 1 >= start > end >= 0")]
    Span {
        /// First time.
        start: f64,
        /// Last time.
        end: f64,
    },
    /// No step is short enough to meet the tolerance.
    #[error(
        "step {step} at time {t} (log-SNR {log_snr}) shrank to an angle of {size:e} without meeting \
         the tolerance: the model's prediction jumps there"
    )]
    StepTooSmall {
        /// Number of the step, from 1.
        step: usize,
        /// Time at the start of the step.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
        /// Length of the next attempt, in radians.
        size: f64,
    },
    /// The end was not reached in the steps allowed.
    #[error(
        "{limit} steps, rejected ones included, led only to time {t} (log-SNR {log_snr}); allow more \
         steps or give a larger tolerance"
    )]
    TooManySteps {
        /// Largest number of steps.
        limit: usize,
        /// Time reached.
        t: f64,
        /// `λ` at that time, in nats.
        log_snr: f64,
    },
}
