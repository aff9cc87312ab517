//! One step of an exponential integrator: the weights of the predictions that it combines.

use burn::tensor::Tensor;

use super::history::Past;
use super::{AlgorithmType, SolverType, StepError, predict};
use crate::{Denoiser, NoiseLevel, Prediction};

/// The interval of an exponential integrator in one of its two forms.
///
/// With `u = (ℓ − ℓ_t)/h`, from 0 at the start to 1 at the end, and a polynomial `Σ_k D_k u^k` for
/// the prediction, the step is exact:
///
/// ```text
/// z_s = σ_s/σ_t z_t + α_s Σ_k M_k D_k        M_k = h ∫ e^−h(1−u) u^k du = k! h φ_(k+1)(−h)
/// z_s = α_s/α_t z_t − σ_s Σ_k M_k D_k        M_k = h ∫ e^+h(1−u) u^k du = k! h φ_(k+1)(+h)
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    algorithm_type: AlgorithmType,
    from: NoiseLevel,
    to: NoiseLevel,
}

impl Interval {
    pub(crate) const fn new(
        algorithm_type: AlgorithmType,
        from: NoiseLevel,
        to: NoiseLevel,
    ) -> Self {
        Self {
            algorithm_type,
            from,
            to,
        }
    }

    /// Returns the length `h` in `ℓ`.
    pub(crate) fn length(self) -> f64 {
        0.5 * (self.to.log_snr() - self.from.log_snr())
    }

    /// Returns where a level lies, in steps from the start.
    pub(crate) fn position(self, log_snr: f64) -> f64 {
        (log_snr - self.from.log_snr()) / (self.to.log_snr() - self.from.log_snr())
    }

    /// Splits predictions, the first of which was made at the start, from the positions of the others.
    pub(crate) fn points(self, past: &[Past]) -> (Vec<Tensor<4>>, Vec<f64>) {
        let predictions = past.iter().map(|one| one.value.clone()).collect();
        let earlier = past.iter().skip(1);
        let positions = earlier.map(|one| self.position(one.log_snr)).collect();
        (predictions, positions)
    }

    /// Returns `M_k`.
    pub(crate) fn moment(self, k: usize) -> f64 {
        let h = self.length();
        factorial(k) * h * phi(k + 1, -self.sign() * h)
    }

    /// Returns the weight of the slope of a straight line in place of `M_1`.
    pub(crate) fn slope(self, solver_type: SolverType) -> f64 {
        match solver_type {
            SolverType::Midpoint => 0.5 * self.moment(0),
            SolverType::Heun => self.moment(1),
        }
    }

    /// Returns the sign of what a step adds.
    fn sign(self) -> f64 {
        match self.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => 1.0,
            AlgorithmType::DpmSolver => -1.0,
        }
    }

    /// Returns the amplitude at a level of what a step only rescales, and of what it predicts.
    fn amplitudes(self, at: NoiseLevel) -> (f64, f64) {
        match self.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => (at.sigma(), at.alpha()),
            AlgorithmType::DpmSolver => (at.alpha(), at.sigma()),
        }
    }

    /// Moves the state across with the polynomial through `predictions`, the first of which was made
    /// at the start and the others at `positions`; `moments` are `M_1, M_2, …`, as many as positions.
    pub(crate) fn cross(
        self,
        z_t: Tensor<4>,
        predictions: &[Tensor<4>],
        positions: &[f64],
        moments: &[f64],
    ) -> Tensor<4> {
        let (kept_before, predicted_before) = self.amplitudes(self.from);
        let (kept, predicted) = self.amplitudes(self.to);
        let (keep, gain) = (kept / kept_before, self.sign() * predicted);
        let weights = lagrange_weights(positions, moments);
        let others: Vec<f64> = weights.iter().map(|weight| gain * weight).collect();
        // The sum of all weights is the factor of a constant prediction: `gain · M_0` without `h`, which
        // is infinite where the noise ends.
        let total = predicted - keep * predicted_before;
        let first = total - others.iter().sum::<f64>();
        let weights = std::iter::once(first).chain(others);
        combine(z_t * keep, weights.zip(predictions))
    }
}

impl AlgorithmType {
    /// Calls the model for the prediction that is interpolated.
    pub(crate) fn predict(
        self,
        model: &dyn Denoiser,
        z_t: &Tensor<4>,
        at: NoiseLevel,
    ) -> Result<Tensor<4>, StepError> {
        let x_hat = predict(model, z_t, at)?;
        Ok(match self {
            Self::DpmSolverPlusPlus => x_hat,
            Self::DpmSolver => Prediction::X.to_epsilon(x_hat, z_t.clone(), at),
        })
    }

    /// Returns the first part of a solver's name.
    pub(crate) const fn family(self) -> &'static str {
        match self {
            Self::DpmSolverPlusPlus => "dpm-solver++",
            Self::DpmSolver => "dpm-solver",
        }
    }
}

/// Adds weighted tensors to a state.
pub(crate) fn combine<'a>(
    state: Tensor<4>,
    terms: impl IntoIterator<Item = (f64, &'a Tensor<4>)>,
) -> Tensor<4> {
    let add = |sum: Tensor<4>, (weight, term): (f64, &Tensor<4>)| sum + term.clone() * weight;
    terms.into_iter().fold(state, add)
}

/// Returns the weights of the values at `positions` in `Σ_k M_k D_k`, where `Σ_k D_k u^k` is the
/// polynomial through them and through the value at `u = 0`; `moments` are `M_1, M_2, …`.
///
/// The weight of the value at 0 is `M_0` less the others.
pub(crate) fn lagrange_weights(positions: &[f64], moments: &[f64]) -> Vec<f64> {
    let weight = |i: usize| {
        // Coefficients of u/u_i Π_{j ≠ i} (1 − u/u_j)/(1 − u_i/u_j) from u¹ up. Written with ratios, a
        // position at −∞ (a prediction made in pure noise) drops out instead of giving NaN.
        let mut basis = vec![1.0 / positions[i]];
        for (_, other) in positions.iter().enumerate().filter(|&(j, _)| j != i) {
            let gap = 1.0 - positions[i] / other;
            let mut next = vec![0.0; basis.len() + 1];
            for (k, coefficient) in basis.iter().enumerate() {
                next[k] += coefficient / gap;
                next[k + 1] -= coefficient / gap / other;
            }
            basis = next;
        }
        basis.iter().zip(moments).map(|(c, m)| c * m).sum()
    };
    (0..positions.len()).map(weight).collect()
}

/// Evaluates `φ_k(x) = Σ_j x^j/(j + k)!`: `φ_1 = (e^x − 1)/x`, `φ_2 = (e^x − 1 − x)/x²`, …
pub(crate) fn phi(k: usize, x: f64) -> f64 {
    if x.abs() <= 1.0 {
        // The closed form cancels near 0; twenty terms reach rounding at |x| = 1.
        let mut term = 1.0 / factorial(k);
        let mut sum = term;
        for j in 1..=20 {
            term *= x / (j + k) as f64;
            sum += term;
        }
        return sum;
    }
    let mut value = x.exp_m1() / x;
    for j in 1..k {
        value = (value - 1.0 / factorial(j)) / x;
    }
    value
}

fn factorial(k: usize) -> f64 {
    (1..=k).map(|j| j as f64).product()
}

#[cfg(test)]
mod tests;
