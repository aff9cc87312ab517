//! Hyper-parameters of Adam with an exponential moving average of the weights.

/// Adam without weight decay, with an exponential moving average of the weights.
///
/// Step `t`, counted from 1, of a weight `w` with gradient `g`, moments `m`, `v` and average `a`:
///
/// ```text
/// m ← β₁·m + (1 − β₁)·g
/// v ← β₂·v + (1 − β₂)·g²
/// w ← w − η · m̂ / (√v̂ + ε)          m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
/// a ← w + rate·(a − w)
/// ```
///
/// Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// `η`.
    pub learning_rate: f64,
    /// `β₁`, decay of the first moment.
    pub beta_1: f64,
    /// `β₂`, decay of the second moment.
    pub beta_2: f64,
    /// `ε`, outside the square root.
    pub epsilon: f64,
    /// Decay of the moving average (`ema_decay`); unused where there is no average.
    pub average_rate: f64,
}

/// Coefficients of one step, computed in f64 and rounded once.
///
/// With `c = √(1 − β₂ᵗ)` the weights' rule is `w ← w − (η·c / (1 − β₁ᵗ)) · m / (√v + ε·c)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coefficients {
    pub(crate) beta_1: f32,
    pub(crate) one_minus_beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) one_minus_beta_2: f32,
    /// `η·c / (1 − β₁ᵗ)`.
    pub(crate) rate: f32,
    /// `ε·c`.
    pub(crate) epsilon: f32,
    pub(crate) average_rate: f32,
}

impl Adam {
    /// The coefficients of step `step`, counted from 1.
    pub(crate) fn coefficients(&self, step: u64) -> Coefficients {
        let power = |beta: f64| beta.powf(step as f64);
        let root = (1.0 - power(self.beta_2)).sqrt();
        Coefficients {
            beta_1: self.beta_1 as f32,
            one_minus_beta_1: (1.0 - self.beta_1) as f32,
            beta_2: self.beta_2 as f32,
            one_minus_beta_2: (1.0 - self.beta_2) as f32,
            rate: (self.learning_rate * root / (1.0 - power(self.beta_1))) as f32,
            epsilon: (self.epsilon * root) as f32,
            average_rate: self.average_rate as f32,
        }
    }
}
