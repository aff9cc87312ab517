//! Against burn's own Adam and an average composed of its operations.

use std::collections::BTreeMap;

use burn::optim::AdamConfig;
use burn::tensor::Device;
use dsno_checkpoint::{HostTensor, StateDict};
use dsno_operator::UNetConfig;

use super::*;

const RATE: f64 = 0.9;
const LEARNING_RATE: f64 = 2e-3;

/// β as the other side rounds it.
fn adam() -> Adam {
    Adam {
        beta_1: f64::from(0.9_f32),
        beta_2: f64::from(0.99_f32),
    }
}

fn network() -> UNet {
    let architecture = UNetConfig::new(4, 1)
        .with_base_channels(8)
        .with_embedding_channels(8)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![2])
        .with_attention_groups(4);
    architecture.init(1, &Device::flex()).unwrap()
}

/// Gradients of step `step`, the same whenever asked for; of sizes from 1 to 1e-6.
struct Gradients {
    step: u64,
    found: GradientsParams,
}

impl ModuleVisitor for Gradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape();
        let seed = param.id.val() * 1000 + self.step;
        let value = |at: usize| {
            let wave = ((seed * 31 + at as u64 * 7919) as f32 * 0.618_034).sin();
            wave * 10.0_f32.powi(-((at % 7) as i32))
        };
        let values: Vec<f32> = (0..shape.num_elements()).map(value).collect();
        let gradient = Tensor::<1>::from_floats(&values[..], &Device::flex()).reshape(shape);
        self.found.register::<D>(param.id, gradient);
    }
}

fn gradients(step: u64) -> GradientsParams {
    let found = GradientsParams::new();
    let mut gradients = Gradients { step, found };
    network().visit(&mut gradients);
    gradients.found
}

fn averaged(average: StateDict, newest: &StateDict) -> StateDict {
    let moved = average.into_iter().map(|(name, average)| {
        let pairs = average.values.iter().zip(&newest[&name].values);
        let values = pairs.map(|(a, w)| w + (a - w) * RATE as f32).collect();
        let shape = average.shape;
        (name, HostTensor { shape, values })
    });
    moved.collect()
}

fn assert_close(found: &StateDict, expected: &StateDict) {
    let names = |weights: &StateDict| weights.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, found) in found {
        let square = |x: f32| f64::from(x).powi(2);
        let expected = &expected[name].values;
        let pairs = found.values.iter().zip(expected);
        let error: f64 = pairs
            .map(|(found, expected)| square(found - expected))
            .sum();
        let size: f64 = expected.iter().map(|&x| square(x)).sum();
        // Biases start at zero and have moved by some learning rates: relative to that.
        assert!(
            error.sqrt() <= 1e-6 * size.sqrt(),
            "{name}: {error:e} of {size:e}"
        );
    }
}

#[test]
fn steps_are_those_of_burns_adam_with_an_average() {
    let rounded = adam();
    let mut theirs = AdamConfig::new()
        .with_beta_1(rounded.beta_1 as f32)
        .with_beta_2(rounded.beta_2 as f32)
        .with_epsilon(EPSILON as f32)
        .init();
    let mut expected = network().train();
    let mut average = expected.state_dict();
    let mut trainee = Trainee::new(Snapshot::fresh(network()), RATE, adam());
    for step in 1..=20 {
        expected = theirs.step(LEARNING_RATE, expected, gradients(step));
        average = averaged(average, &expected.state_dict());
        trainee = trainee.step(gradients(step), LEARNING_RATE, step);
        if [1, 2, 20].contains(&step) {
            assert_close(&trainee.network().state_dict(), &expected.state_dict());
            assert_close(&trainee.ema().state_dict(), &average);
        }
    }
}

/// All parts of a snapshot, by name.
fn parts(snapshot: &Snapshot) -> BTreeMap<&'static str, StateDict> {
    BTreeMap::from([
        ("weights", snapshot.weights.state_dict()),
        ("ema", snapshot.ema.state_dict()),
        ("first", snapshot.first_moment.state_dict()),
        ("second", snapshot.second_moment.state_dict()),
    ])
}

#[test]
fn a_snapshot_goes_on_to_the_same_bits_and_stays_as_it_is() {
    for rate in [RATE, 0.0] {
        let mut whole = Trainee::new(Snapshot::fresh(network()), rate, adam());
        for step in 1..=3 {
            whole = whole.step(gradients(step), LEARNING_RATE, step);
        }
        let snapshot = whole.snapshot();
        let taken = parts(&snapshot);
        let mut parted = Trainee::new(whole.snapshot(), rate, adam());
        for step in 4..=6 {
            whole = whole.step(gradients(step), LEARNING_RATE, step);
            parted = parted.step(gradients(step), LEARNING_RATE, step);
        }
        assert_eq!(parts(&whole.snapshot()), parts(&parted.snapshot()));
        assert_ne!(parts(&whole.snapshot()), taken);
        assert_eq!(parts(&snapshot), taken);
    }
}

#[test]
fn without_a_half_life_the_average_is_the_newest_weight() {
    let trainee = Trainee::new(Snapshot::fresh(network()), 0.0, adam());
    let trainee = trainee.step(gradients(1), LEARNING_RATE, 1);
    let snapshot = trainee.snapshot();
    assert_eq!(snapshot.ema.state_dict(), snapshot.weights.state_dict());
    assert_ne!(snapshot.weights.state_dict(), network().state_dict());
}

#[test]
fn what_has_no_gradient_stays() {
    let trainee = Trainee::new(Snapshot::fresh(network()), RATE, adam());
    let trainee = trainee.step(GradientsParams::new(), LEARNING_RATE, 1);
    assert_eq!(trainee.network().state_dict(), network().state_dict());
    assert_eq!(trainee.ema().state_dict(), network().state_dict());
}
