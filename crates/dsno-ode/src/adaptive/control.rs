//! The length of the next step, from the error of the last ones.

use super::{AdaptiveError, check_options};

/// How the length of a step follows from error estimates.
///
/// A proportional–integral controller: the last accepted error damps the effect of the present one,
/// so that step lengths do not swing where stability rather than accuracy limits them.
///
/// ```text
/// h_next = h · safety · err⁻ᵃ · err_prevᵝ      a = 1/5 − 3β/4,   held to [shrink, growth] · h
/// ```
///
/// `err` is the error in units of the tolerance; a step with `err ≤ 1` is accepted. After a rejected
/// attempt the next step does not grow, and the controller's memory is left out. Hairer, Nørsett
/// and Wanner 1993, *Solving Ordinary Differential Equations I*, section II.4, and Hairer and Wanner
/// 1996, volume II, section IV.2; the defaults are those of their program DOPRI5.
///
/// # Examples
///
/// ```
/// use dsno_ode::Dopri5;
/// use dsno_ode::adaptive::StepControl;
///
/// // The elementary controller, which forgets the last error.
/// let elementary = StepControl { beta: 0.0, ..StepControl::default() };
/// let method = Dopri5 { control: elementary, ..Dopri5::default() };
/// assert_eq!(method.control.safety, 0.9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepControl {
    /// Part of the step that the error would allow, in `(0, 1)`.
    pub safety: f64,
    /// Smallest ratio of a step to the one before it, in `(0, 1)`.
    pub shrink: f64,
    /// Largest ratio of a step to the one before it, above 1.
    pub growth: f64,
    /// Weight `β` of the last accepted error, in `[0, 0.2]`; 0 is the elementary controller.
    pub beta: f64,
}

impl Default for StepControl {
    fn default() -> Self {
        Self {
            safety: 0.9,
            shrink: 0.2,
            growth: 10.0,
            beta: 0.04,
        }
    }
}

impl StepControl {
    pub(super) fn check(&self) -> Result<(), AdaptiveError> {
        let part = |value: f64| value > 0.0 && value < 1.0;
        let growth = self.growth > 1.0 && self.growth.is_finite();
        let beta = (0.0..=0.2).contains(&self.beta);
        let a_part = "more than 0 and less than 1";
        check_options([
            ("safety", self.safety, part(self.safety), a_part),
            ("shrink", self.shrink, part(self.shrink), a_part),
            ("growth", self.growth, growth, "a finite number above 1"),
            ("beta", self.beta, beta, "0 to 0.2"),
        ])
    }
}

/// The controller between two steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Controller {
    control: StepControl,
    /// Error of the last accepted step, not below [`SMALLEST_REMEMBERED`].
    previous: f64,
    /// Whether the last attempt was rejected.
    rejected: bool,
}

/// An error far below the tolerance must not hold back the step after next.
const SMALLEST_REMEMBERED: f64 = 1e-4;

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub(super) accepted: bool,
    /// Length of the next attempt.
    pub(super) size: f64,
}

impl Controller {
    pub(super) const fn new(control: StepControl) -> Self {
        Self {
            control,
            previous: SMALLEST_REMEMBERED,
            rejected: false,
        }
    }

    /// Judges an attempt of length `size` with the given error in units of the tolerance.
    pub(super) fn judge(&mut self, size: f64, error: f64) -> Verdict {
        let StepControl {
            safety,
            shrink,
            growth,
            beta,
        } = self.control;
        let wanted = safety * error.powf(0.75 * beta - 0.2);
        let accepted = error <= 1.0;
        let ratio = if accepted {
            let largest = if self.rejected { 1.0 } else { growth };
            let remembered = self.previous.powf(beta);
            self.previous = error.max(SMALLEST_REMEMBERED);
            (wanted * remembered).clamp(shrink, largest)
        } else {
            wanted.max(shrink)
        };
        self.rejected = !accepted;
        let size = size * ratio;
        Verdict { accepted, size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_at_its_tolerance_is_repeated_a_little_shorter() {
        let mut controller = Controller::new(StepControl::default());
        controller.judge(0.1, 1.0);
        let verdict = controller.judge(0.1, 1.0);
        assert!(verdict.accepted);
        assert!((verdict.size - 0.09).abs() < 1e-15);
    }

    #[test]
    fn ratios_stay_within_their_limits() {
        let mut controller = Controller::new(StepControl::default());
        let verdict = controller.judge(0.01, 0.0);
        assert!(verdict.accepted && (verdict.size - 0.1).abs() < 1e-15);
        let verdict = controller.judge(0.1, 1e30);
        assert!(!verdict.accepted && (verdict.size - 0.02).abs() < 1e-15);
    }

    #[test]
    fn a_step_does_not_grow_after_a_rejected_one() {
        let mut controller = Controller::new(StepControl::default());
        controller.judge(0.1, 2.0);
        assert_eq!(controller.judge(0.08, 1e-6).size, 0.08);
        assert!(controller.judge(0.08, 1e-6).size > 0.08);
    }

    /// Changes one option.
    type Change = fn(&mut StepControl);

    #[test]
    fn options_without_a_meaning_are_named() {
        let good = StepControl::default();
        assert_eq!(good.check(), Ok(()));
        let wrong: [(&str, Change); 4] = [
            ("safety", |control| control.safety = 1.0),
            ("shrink", |control| control.shrink = 0.0),
            ("growth", |control| control.growth = 1.0),
            ("beta", |control| control.beta = f64::NAN),
        ];
        for (name, change) in wrong {
            let mut control = good;
            change(&mut control);
            let error = control.check();
            assert!(
                matches!(error, Err(AdaptiveError::Option { option, .. }) if option == name),
                "{name}: {error:?}"
            );
        }
    }
}
