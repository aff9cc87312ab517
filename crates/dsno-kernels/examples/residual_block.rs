//! A residual block of one's own on these operations, which learns what another one does.
//!
//! `cargo run --release -p dsno-kernels --features flex --example residual_block`

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use dsno_kernels::{GroupNorm, Resample, conv3x3, norm_silu_conv3x3};

const CHANNELS: usize = 16;

/// `y = x + conv(SiLU(norm(conv(x))))` on maps `[N, H, W, C]`.
#[derive(Module, Debug)]
struct Block {
    first: Param<Tensor<4>>,
    second: Param<Tensor<4>>,
}

impl Block {
    fn new(device: &Device) -> Self {
        let weight = || {
            let normal = Distribution::Normal(0.0, 0.1);
            Param::from_tensor(Tensor::random([CHANNELS, CHANNELS, 3, 3], normal, device))
        };
        Self {
            first: weight(),
            second: weight(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let device = x.device();
        let zeros = || Tensor::zeros([CHANNELS], &device);
        let norm = GroupNorm {
            gamma: Tensor::ones([CHANNELS], &device),
            beta: zeros(),
            groups: 4,
            epsilon: 1e-6,
            modulation: None,
        };
        let h = conv3x3(x.clone(), self.first.val(), zeros(), None);
        norm_silu_conv3x3(h, norm, Resample::Keep, self.second.val(), zeros(), Some(x))
    }
}

fn main() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let (known, mut block) = (Block::new(&device), Block::new(&device));
    let mut adam = AdamConfig::new().init();
    for step in 0..=400 {
        let normal = Distribution::Normal(0.0, 1.0);
        let x = Tensor::random([8, 16, 16, CHANNELS], normal, &device);
        let target = known.forward(x.clone()).detach();
        let loss = (block.forward(x) - target).square().mean();
        if step % 100 == 0 {
            let error: f32 = loss.clone().into_scalar();
            println!("step {step:>3}   mean square error {error:.4}");
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &block);
        block = adam.step(5e-3, block, gradients);
    }
}
