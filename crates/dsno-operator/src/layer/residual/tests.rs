use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::*;
use crate::UNetConfig;
use crate::weights::{named_parameters, with_parameters};

const CHANNELS: usize = 16;
const DROPPED: f64 = 0.3;

/// A block that adds `SiLU(1)` to its input everywhere, or what dropout makes of it.
fn adding(device: &Device) -> Residual {
    let init = &mut Initializer::new(1, device);
    let config = UNetConfig::new(8, 1).with_embedding_channels(3);
    let plan = Plan {
        dropout: DROPPED,
        ..config.plan(None).unwrap()
    };
    let shape = ResidualShape {
        channels: [CHANNELS; 2],
        groups: [4; 2],
        resample: Resample::Keep,
        shortcut: false,
        scale: 1.0,
    };
    let block = Residual::new(init, shape, &plan);
    let mut weights = named_parameters(&block);
    for (name, tensor) in &mut weights {
        match name.as_str() {
            "norm_1.beta" => tensor.values.fill(1.0),
            "conv_1.weight" => {
                tensor.values.fill(0.0);
                // The centre of each kernel from a channel to itself.
                for c in 0..CHANNELS {
                    tensor.values[(c * CHANNELS + c) * 9 + 4] = 1.0;
                }
            }
            _ => tensor.values.fill(0.0),
        }
    }
    with_parameters(block, weights).unwrap()
}

fn added(block: &Residual, device: &Device) -> Vec<f64> {
    let x = Tensor::zeros([64, 8, 8, CHANNELS], device);
    let y = block.forward(x, Tensor::zeros([64, 3], device));
    y.into_data().iter::<f64>().collect()
}

#[test]
fn dropout_drops_its_share_anew_each_time_and_keeps_the_mean() {
    let device = Device::flex().autodiff();
    let block = adding(&device).train();
    let (first, second) = (added(&block, &device), added(&block, &device));
    let full = 1.0 / (1.0 + (-1.0_f64).exp());
    let kept = full / (1.0 - DROPPED);
    // The convolution's transforms leave rounding where a direct sum leaves nothing.
    let zero = |v: f64| v.abs() < 1e-5;
    assert!(first.iter().all(|&v| zero(v) || (v - kept).abs() < 1e-5));

    let count = first.len() as f64;
    let dropped = |values: &[f64]| values.iter().filter(|&&v| zero(v)).count() as f64 / count;
    // Six deviations of a binomial share.
    let allowed = 6.0 * (DROPPED * (1.0 - DROPPED) / count).sqrt();
    assert!((dropped(&first) - DROPPED).abs() < allowed);
    // Draws of two passes agree by chance alone, and so do those of two rows (times) of one.
    let both = |a: &[f64], b: &[f64]| {
        let pairs = a.iter().zip(b).filter(|(a, b)| zero(**a) && zero(**b));
        pairs.count() as f64 / a.len() as f64
    };
    let chance = DROPPED * DROPPED;
    assert!((both(&first, &second) - chance).abs() < allowed);
    let (upper, lower) = first.split_at(first.len() / 2);
    assert!((both(upper, lower) - chance).abs() < 2.0 * allowed);
}

#[test]
fn dropout_does_nothing_outside_of_training() {
    let device = Device::flex();
    let full = 1.0 / (1.0 + (-1.0_f64).exp());
    let block = adding(&device);
    assert!(
        added(&block, &device)
            .iter()
            .all(|&v| (v - full).abs() < 1e-6)
    );
    let trained = adding(&device.clone().autodiff()).train().valid();
    assert!(
        added(&trained, &device)
            .iter()
            .all(|&v| (v - full).abs() < 1e-6)
    );
}
