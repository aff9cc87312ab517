//! Temporal convolutions around a block of one's own, which together learn a trajectory.
//!
//! `cargo run --release -p dsno-operator --example own_block`

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::{gelu, tanh};
use burn::tensor::{Device, Distribution, Tensor};
use dsno_operator::TemporalConv;

/// A block that knows nothing of time: rows of its batch are independent.
#[derive(Module, Debug)]
struct OwnBlock {
    mix: Conv2d,
    level: Linear,
}

impl OwnBlock {
    fn new(channels: usize, device: &Device) -> Self {
        let mix = Conv2dConfig::new([channels, channels], [3, 3]);
        let mix = mix.with_padding(PaddingConfig2d::Same);
        Self {
            mix: mix.init(device),
            level: LinearConfig::new(1, channels).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>, level: Tensor<2>) -> Tensor<4> {
        let [rows, channels, _, _] = x.dims();
        let shift = self.level.forward(level).reshape([rows, channels, 1, 1]);
        x.clone() + gelu(self.mix.forward(x) + shift)
    }
}

/// Noise `[B, C, H, W]` to states `[B·T, C, H, W]`: only temporal convolutions mix times.
#[derive(Module, Debug)]
struct Operator {
    blocks: Vec<OwnBlock>,
    temporal: Vec<TemporalConv>,
}

impl Operator {
    fn forward(&self, noise: Tensor<4>, times: &[f32]) -> Tensor<4> {
        let ([b, ..], t) = (noise.dims(), times.len());
        let level = Tensor::<1>::from_floats(times, &noise.device()).repeat_dim(0, b);
        let level = level.reshape([b * t, 1]);
        let mut x = Tensor::stack::<5>(vec![noise; t], 1).flatten(0, 1);
        for (block, temporal) in self.blocks.iter().zip(&self.temporal) {
            x = temporal.forward(block.forward(x, level.clone()), t);
        }
        x
    }
}

fn main() {
    let (device, channels, times) = (Device::flex().autodiff(), 4, [0.75, 0.5, 0.25, 0.0]);
    let temporal = |seed| TemporalConv::init(channels, 2, seed, &device);
    let mut operator = Operator {
        blocks: (0..2).map(|_| OwnBlock::new(channels, &device)).collect(),
        temporal: (0..2).map(temporal).collect(),
    };
    let (mut adam, normal) = (AdamConfig::new().init(), Distribution::Normal(0.0, 1.0));
    for step in 0..=100 {
        let noise = Tensor::<4>::random([8, channels, 8, 8], normal, &device);
        // The trajectory to learn: every state is closer to the tanh of the noise.
        let states = times.map(|t| noise.clone() * t + tanh(noise.clone()) * (1.0 - t));
        let target = Tensor::stack::<5>(states.to_vec(), 1).flatten(0, 1);
        let loss = (operator.forward(noise, &times) - target).abs().mean();
        if step % 25 == 0 {
            let distance: f32 = loss.clone().into_scalar();
            println!("step {step:>3}   mean distance {distance:.3}");
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &operator);
        operator = adam.step(3e-3, operator, gradients);
    }
}
