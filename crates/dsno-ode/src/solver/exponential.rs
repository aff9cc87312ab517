//! One step of an exponential integrator: the weights of the predictions it combines.

use burn::tensor::Tensor;

use super::Form;
use super::history::Past;
use crate::{Amplitudes, Prediction};

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
    form: Form,
    from: Amplitudes,
    to: Amplitudes,
}

impl Interval {
    pub(crate) const fn new(form: Form, from: Amplitudes, to: Amplitudes) -> Self {
        Self { form, from, to }
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
        let x = match self.form {
            Form::Data => -h,
            Form::Noise => h,
        };
        factorial(k) * h * phi(k + 1, x)
    }

    /// Returns the factor of the state.
    fn keep(self) -> f64 {
        match self.form {
            Form::Data => self.to.sigma() / self.from.sigma(),
            Form::Noise => self.to.alpha() / self.from.alpha(),
        }
    }

    /// Returns the factor before the sum.
    fn gain(self) -> f64 {
        match self.form {
            Form::Data => self.to.alpha(),
            Form::Noise => -self.to.sigma(),
        }
    }

    /// Returns the sum of all weights, which is the factor of a constant prediction.
    ///
    /// It is `gain · M_0` without `h`, which is infinite where the noise ends.
    fn total(self) -> f64 {
        match self.form {
            Form::Data => self.to.alpha() - self.keep() * self.from.alpha(),
            Form::Noise => self.to.sigma() - self.keep() * self.from.sigma(),
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
        let weights = lagrange_weights(positions, moments);
        let gain = self.gain();
        let others: Vec<f64> = weights.iter().map(|weight| gain * weight).collect();
        let first = self.total() - others.iter().sum::<f64>();
        let weights = std::iter::once(first).chain(others);
        combine(z_t * self.keep(), weights.zip(predictions))
    }
}

impl Form {
    /// Returns the prediction that this form interpolates.
    pub(crate) fn of(self, x_hat: Tensor<4>, z_t: &Tensor<4>, at: Amplitudes) -> Tensor<4> {
        match self {
            Self::Data => x_hat,
            Self::Noise => Prediction::X.to_epsilon(x_hat, z_t.clone(), at),
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
mod tests {
    use super::*;
    use crate::test_support::{assert_close, f64_tensor};

    #[test]
    fn phi_is_smooth_where_its_two_forms_meet_and_right_at_zero() {
        for k in 1..=4 {
            assert!((phi(k, 0.0) * factorial(k) - 1.0).abs() < 1e-15);
            for sign in [-1.0, 1.0] {
                let (inside, outside) = (phi(k, sign), phi(k, sign * (1.0 + 1e-15)));
                assert!((inside - outside).abs() < 1e-14, "φ_{k}({sign})");
            }
        }
        // (e^½ − 1 − ½)/¼ and (e^−10 − 1 + 10)/100
        assert!((phi(2, 0.5) - 4.0 * (0.5f64.exp() - 1.5)).abs() < 1e-15);
        assert!((phi(2, -10.0) - (9.0 + (-10.0f64).exp()) / 100.0).abs() < 1e-16);
    }

    #[test]
    fn moments_are_the_integrals_they_stand_for() {
        for form in [Form::Data, Form::Noise] {
            let from = Amplitudes::from_log_snr(-1.0);
            let interval = Interval::new(form, from, from.with_log_snr(1.6));
            let rate = if form == Form::Data { -1.3 } else { 1.3f64 };
            for k in 0..4 {
                // Midpoint rule in 20 000 panels: its error is below 1e-9.
                let panel = |i: i32| {
                    let u = (f64::from(i) + 0.5) / 20_000.0;
                    1.3 * (rate * (1.0 - u)).exp() * u.powi(k) / 20_000.0
                };
                let sum: f64 = (0..20_000).map(panel).sum();
                assert!((interval.moment(k as usize) - sum).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn lagrange_weights_integrate_polynomials() {
        // ∫_0^1 of the cubic 2 − u + 3u² + 4u³ through values at 0, −1, −2.5 and 1.
        let cubic = |u: f64| 2.0 - u + 3.0 * u * u + 4.0 * u * u * u;
        let positions = [-1.0, -2.5, 1.0];
        let weights = lagrange_weights(&positions, &[0.5, 1.0 / 3.0, 0.25]);
        let others: f64 = weights.iter().sum();
        let sum: f64 = weights
            .iter()
            .zip(positions)
            .map(|(w, u)| w * cubic(u))
            .sum();
        let integral = sum + (1.0 - others) * cubic(0.0);
        assert!((integral - 3.5).abs() < 1e-14);
    }

    #[test]
    fn a_value_at_minus_infinity_has_no_weight() {
        let near = lagrange_weights(&[-1.0], &[0.5, 0.2]);
        let with_far = lagrange_weights(&[-1.0, f64::NEG_INFINITY], &[0.5, 0.2]);
        assert_eq!(with_far, [near[0], 0.0]);
    }

    #[test]
    fn a_polynomial_prediction_is_crossed_exactly() {
        // x̂ = ℓ²: z_s = σ_s/σ_t z_t + σ_s ∫ e^ℓ ℓ² dℓ, whose antiderivative is e^ℓ (ℓ² − 2ℓ + 2).
        let (from, to) = (
            Amplitudes::from_log_snr(-1.0),
            Amplitudes::from_log_snr(0.8),
        );
        let interval = Interval::new(Form::Data, from, to);
        let half = |log_snr: f64| 0.5 * log_snr;
        let levels = [-1.0, -1.9, -4.2];
        let predictions = levels.map(|level| f64_tensor(&[half(level).powi(2)], [1, 1, 1, 1]));
        let positions = [interval.position(levels[1]), interval.position(levels[2])];
        let moments = [interval.moment(1), interval.moment(2)];
        let z_t = f64_tensor(&[0.7], [1, 1, 1, 1]);
        let crossed = interval.cross(z_t, &predictions, &positions, &moments);
        let primitive = |l: f64| l.exp() * (l * l - 2.0 * l + 2.0);
        let integral = primitive(half(0.8)) - primitive(half(-1.0));
        let expected = to.sigma() * (0.7 / from.sigma() + integral);
        assert_close(&crossed, &f64_tensor(&[expected], [1, 1, 1, 1]), 1e-14);
    }
}
