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

/// An option's name, its value, whether that has a meaning, and which values have one.
type Checked = (&'static str, f64, bool, &'static str);

/// Refuses the first option whose value has no meaning.
pub(super) fn check_options<const N: usize>(options: [Checked; N]) -> Result<(), AdaptiveError> {
    let wrong = options.into_iter().find(|&(_, _, good, _)| !good);
    wrong.map_or(Ok(()), |(option, value, _, expected)| {
        Err(AdaptiveError::Option {
            option,
            value,
            expected,
        })
    })
}
