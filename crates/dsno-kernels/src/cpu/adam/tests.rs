use super::super::testing::{noise, relative_rms};
use super::*;
use crate::adam::Adam;

const ADAM: Adam = Adam {
    learning_rate: 2e-3,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    average_rate: 0.95,
};

/// Weight, first moment, second moment and average.
#[derive(Debug, Clone, PartialEq)]
struct State<T>([Vec<T>; 4]);

impl State<f32> {
    fn new(seed: u64, len: usize) -> Self {
        let weight = noise(seed, len);
        Self([weight.clone(), vec![0.0; len], vec![0.0; len], weight])
    }

    fn step(&mut self, gradient: &[f32], step: u64, simd: impl Fn(Pass<'_>)) {
        let [weight, first, second, average] = &mut self.0;
        let coefficients = ADAM.coefficients(step);
        let average = Some(&mut average[..]);
        simd(Pass {
            coefficients,
            part: Parameter {
                weight,
                gradient,
                first,
                second,
                average,
            },
        });
    }
}

impl State<f64> {
    /// The rule as it is in the paper, in 64 bits.
    fn step(&mut self, gradient: &[f32], step: i32) {
        let [weight, first, second, average] = &mut self.0;
        for (at, &g) in gradient.iter().enumerate() {
            let g = f64::from(g);
            first[at] = ADAM.beta_1 * first[at] + (1.0 - ADAM.beta_1) * g;
            second[at] = ADAM.beta_2 * second[at] + (1.0 - ADAM.beta_2) * g * g;
            let m = first[at] / (1.0 - ADAM.beta_1.powi(step));
            let v = second[at] / (1.0 - ADAM.beta_2.powi(step));
            weight[at] -= ADAM.learning_rate * m / (v.sqrt() + ADAM.epsilon);
            average[at] = weight[at] + ADAM.average_rate * (average[at] - weight[at]);
        }
    }
}

fn public(pass: Pass<'_>) {
    step(pass.coefficients, pass.part);
}

/// Gradients from 1e-12 to 1, so that ε counts for some.
fn gradient(seed: u64, len: usize) -> Vec<f32> {
    let scale = |at: usize| 10.0_f32.powi(-((at % 13) as i32));
    noise(seed, len)
        .iter()
        .enumerate()
        .map(|(at, g)| g * scale(at))
        .collect()
}

#[test]
fn steps_are_those_of_64_bits() {
    // Shorter than a vector, with and without a remainder, and long enough for two threads.
    for len in [1, 5, 16, 100, 70_001] {
        let mut found = State::<f32>::new(1, len);
        let mut expected = State(
            found
                .0
                .clone()
                .map(|part| part.iter().map(|&x| f64::from(x)).collect()),
        );
        for t in 1..=30 {
            let gradient = gradient(t, len);
            found.step(&gradient, t, public);
            expected.step(&gradient, t as i32);
        }
        for (found, expected) in found.0.iter().zip(&expected.0) {
            let error = relative_rms(found, expected);
            assert!(error < 1e-6, "{len}: {error:e}");
        }
    }
}

#[test]
fn no_vector_length_and_no_place_in_a_vector_changes_a_bit() {
    let len = 70_001;
    let gradient = gradient(2, len);
    let mut vectors = State::new(1, len);
    let mut scalars = vectors.clone();
    let mut apart: Vec<State<f32>> = Vec::new();
    for (at, &g) in gradient.iter().enumerate().take(40) {
        let mut one = State(vectors.0.clone().map(|part| vec![part[at]]));
        one.step(&[g], 1, public);
        apart.push(one);
    }
    vectors.step(&gradient, 1, public);
    scalars.step(&gradient, 1, |pass| pass.with_simd(pulp::Scalar));
    assert_eq!(vectors, scalars);
    for (at, one) in apart.iter().enumerate() {
        assert_eq!(
            one.0.clone().map(|part| part[0]),
            vectors.0.clone().map(|part| part[at])
        );
    }
}

#[test]
fn without_an_average_the_rest_is_the_same() {
    let gradient = gradient(3, 77);
    let mut with = State::<f32>::new(1, 77);
    let mut without = with.clone();
    with.step(&gradient, 1, public);
    without.step(&gradient, 1, |mut pass| {
        pass.part.average = None;
        public(pass);
    });
    assert_eq!(with.0[..3], without.0[..3]);
    assert_ne!(with.0[3], without.0[3]);
}
