use burn::tensor::Tensor;

use crate::Step;

/// The predictions that a multistep solver made at earlier times, newest first.
///
/// It is a plain value: cloning it shares the tensors, and a solver never changes the one it was
/// given. It starts empty.
///
/// # Examples
///
/// ```
/// use dsno_ode::solver::History;
///
/// assert!(History::default().is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct History {
    past: Vec<Past>,
}

/// One prediction and where it was made.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) t: f64,
    pub(crate) log_snr: f64,
    pub(crate) value: Tensor<4>,
}

impl History {
    /// Returns the number of predictions held.
    pub fn len(&self) -> usize {
        self.past.len()
    }

    /// Tells whether no prediction is held, as before the first step.
    pub fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    /// Returns the history with the prediction made at the start of `step` in front, and at most
    /// `kept` predictions.
    pub(crate) fn with(mut self, step: &Step<'_>, value: Tensor<4>, kept: usize) -> Self {
        let now = Past {
            t: step.t(),
            log_snr: step.from().log_snr(),
            value,
        };
        self.past.insert(0, now);
        self.past.truncate(kept);
        self
    }

    /// Returns the newest `count` predictions, newest first.
    pub(crate) fn newest(&self, count: usize) -> &[Past] {
        &self.past[..count.min(self.past.len())]
    }
}
